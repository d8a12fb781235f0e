//! Where the server may listen.

use anyhow::bail;

use crate::config::Config;

/// Refuses to let everyone who reaches this machine push, pull and delete, unless that is wanted.
pub(crate) fn check(config: &Config, is_authentication_on: bool) -> anyhow::Result<()> {
    let address = config.listen.0;
    let is_local = address.ip().to_canonical().is_loopback();
    let is_guarded = config.tls()?.is_some() || is_authentication_on;
    if is_local || config.insecure_listen || is_guarded {
        return Ok(());
    }
    bail!(
        "others could reach {address}, and neither TLS (tls_certificate and tls_key) nor authentication is \
         set up; set one up, listen on 127.0.0.1 behind a proxy that has it, or allow this with \
         --insecure-listen"
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    fn config(text: &str) -> Config {
        let mut table = toml::Table::try_from(Config::default()).unwrap();
        table.extend(toml::from_str::<toml::Table>(text).unwrap());
        table.try_into().unwrap()
    }

    #[test]
    fn only_loopback_is_free_for_all() {
        for address in [
            "127.0.0.1:0",
            "127.1.2.3:0",
            "[::1]:0",
            "[::ffff:127.0.0.1]:0",
        ] {
            let config = config(&format!("listen = {address:?}"));
            assert!(check(&config, false).is_ok(), "{address}");
        }
        for address in ["0.0.0.0:0", "[::]:0", "10.0.0.1:0", "[fe80::1]:0"] {
            let listen = format!("listen = {address:?}\n");
            let error = check(&config(&listen), false).unwrap_err().to_string();
            assert!(check(&config(&listen), true).is_ok(), "{address}");
            for told in [address, "tls_certificate", "tls_key", "--insecure-listen"] {
                assert!(error.contains(told), "{error}");
            }
            let tls = "tls_certificate = \"a\"\ntls_key = \"b\"";
            for allowed in ["insecure_listen = true", tls] {
                assert!(
                    check(&config(&(listen.clone() + allowed)), false).is_ok(),
                    "{address}"
                );
            }
        }
    }

    #[test]
    fn half_of_tls_is_no_tls() {
        for half in ["tls_certificate", "tls_key", "client_ca"] {
            let config = config(&format!("listen = \"0.0.0.0:0\"\n{half} = \"a\""));
            let error = check(&config, false).unwrap_err().to_string();
            assert!(error.contains(half), "{error}");
        }
    }
}
