use berth_metadata::MetadataError;

/// The parts of the URL of a database, as they are written there.
pub(crate) struct UrlParts<'a> {
    pub(crate) scheme: &'a str,
    pub(crate) user: &'a str,
    pub(crate) password: &'a str,
    /// What is before the hosts, with the `@`.
    pub(crate) login: &'a str,
    pub(crate) hosts: &'a str,
    pub(crate) database: &'a str,
    pub(crate) parameters: Vec<(&'a str, &'a str)>,
}

impl<'a> UrlParts<'a> {
    /// # Errors
    /// [`MetadataError::Database`] if it is no URL of a PostgreSQL database. Only one that is clear about what its
    /// password is can be kept out of messages, so whatever libpq might read otherwise is refused. It is not repeated.
    pub(crate) fn parse(text: &'a str) -> Result<Self, MetadataError> {
        let (scheme, rest) = text.split_once("://").unwrap_or_default();
        if !matches!(scheme, "postgresql" | "postgres") {
            return Err(refused(
                "must begin with postgresql:// (postgresql://USER:PASSWORD@HOST:PORT/DATABASE)",
            ));
        }
        let (login, place) = match rest.split_once('@') {
            Some((_, place)) if place.contains('@') => {
                return Err(refused("has more than one @: write the others as %40"));
            }
            Some((login, _)) if login.contains(['/', '?']) => {
                return Err(refused(
                    "has a / or a ? before the @: in a password, write them as %2F and %3F",
                ));
            }
            Some((login, place)) => (&rest[..=login.len()], place),
            None => ("", rest),
        };
        let (place, parameters) = place.split_once('?').unwrap_or((place, ""));
        let (hosts, database) = place.split_once('/').unwrap_or((place, ""));
        if database.contains('/') {
            return Err(refused("has a / in the name of the database"));
        }
        if !hosts.split(',').all(has_sound_port) {
            return Err(refused(
                "has a port that is no number: a password stands before an @ and the host",
            ));
        }
        let name = login.trim_end_matches('@');
        let (user, password) = name.split_once(':').unwrap_or((name, ""));
        let parameters = parameters
            .split('&')
            .filter(|parameter| !parameter.is_empty());
        let parameters =
            parameters.map(|parameter| parameter.split_once('=').unwrap_or((parameter, "")));
        Ok(Self {
            scheme,
            user,
            password,
            login,
            hosts,
            database,
            parameters: parameters.collect(),
        })
    }

    /// The value of a parameter, if the URL has it. Of several, the last one counts.
    pub(crate) fn parameter(&self, name: &str) -> Option<&'a str> {
        let mut parameters = self.parameters.iter().rev();
        let (_, value) = parameters.find(|(given, _)| *given == name)?;
        Some(value)
    }

    /// The URL with these hosts, database and parameters.
    pub(crate) fn text(&self) -> String {
        let Self {
            scheme,
            login,
            hosts,
            database,
            parameters,
            ..
        } = self;
        let parameters = parameters
            .iter()
            .map(|(name, value)| format!("{name}={value}"));
        let parameters: Vec<String> = parameters.collect();
        let parameters = parameters.join("&");
        format!("{scheme}://{login}{hosts}/{database}?{parameters}")
    }
}

pub(crate) fn refused(why: &str) -> MetadataError {
    MetadataError::Database(format!("the URL of the database {why}"))
}

/// Whether what follows the host can be a port. Of an IPv6 address in brackets, that is what follows these.
fn has_sound_port(host: &str) -> bool {
    let (_, after) = host.rsplit_once(']').unwrap_or(("", host));
    let port = after.split_once(':').map_or("", |(_, port)| port);
    port.bytes().all(|byte| byte.is_ascii_digit())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_url_is_put_together_of_its_parts() {
        for text in [
            "postgresql://berth:s3cret@db:5432/berth?connect_timeout=3",
            "postgres://one,[::1]:5433/berth?sslmode=disable&user=berth",
            "postgresql:///?",
        ] {
            assert_eq!(UrlParts::parse(text).unwrap().text(), text);
        }
    }

    #[test]
    fn the_last_of_several_parameters_counts() {
        let url = UrlParts::parse("postgresql:///a?user=b&&user=c").unwrap();
        assert_eq!(url.parameter("user"), Some("c"));
        assert_eq!(url.parameter("use"), None);
    }

    #[test]
    fn what_is_unclear_is_refused_without_repeating_it() {
        for url in [
            "host=db password=s3cret",
            "mysql://berth:s3cret@db/berth",
            "postgresql://berth:s3cret@more@db/berth",
            "postgresql://berth:pass/s3cret@db/berth",
            "postgresql://berth:s3cret?more@db/berth",
            "postgresql://berth:s3cret/more?all@db/berth",
            "postgresql://berth:s3cret",
            "postgresql://db/a/s3cret",
            "postgresql://db/a?password=s3cret@more",
            "postgresql://[::1]:s3cret/a",
        ] {
            let refused = UrlParts::parse(url).map(|_| ()).unwrap_err().to_string();
            assert!(!refused.contains("s3cret"), "{refused}");
        }
    }
}
