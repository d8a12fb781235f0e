//! Real clients log in to a registry that wants it, by each way of doing so.

mod crane;
mod oras;
mod skopeo;

use std::fs;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use anyhow::{Context, Result, ensure};

use super::{Bench, Report, refusal};
use crate::command::output;
use crate::htpasswd;
use crate::server::Server;

/// May pull and push in `team` and `public`.
const USER: &str = "alice";
const PASSWORD: &str = "correct horse battery staple";

/// Whoever logs in here may only do what its rule says; everybody may pull from `public`.
const RULES: &str = r#"
[[rule]]
repositories = ["team/**", "public/**"]
who = ["alice", "carol"]
actions = ["pull", "push"]

[[rule]]
repositories = ["public/**"]
who = ["anonymous"]
actions = ["pull"]
"#;

/// How clients get in.
struct Flow {
    /// In names of repositories and checks.
    name: &'static str,
    /// What the registry asks them for.
    challenge: &'static str,
    tls: bool,
    credential: Credential,
}

/// What they log in with.
enum Credential {
    /// A line of an htpasswd file.
    Htpasswd,
    /// A user of the registry's own.
    User,
    /// A robot's token.
    Token,
}

const FLOWS: [Flow; 5] = [
    Flow {
        name: "bearer",
        challenge: "bearer",
        tls: false,
        credential: Credential::Htpasswd,
    },
    Flow {
        name: "basic",
        challenge: "basic",
        tls: false,
        credential: Credential::Htpasswd,
    },
    Flow {
        name: "user",
        challenge: "bearer",
        tls: false,
        credential: Credential::User,
    },
    Flow {
        name: "robot",
        challenge: "bearer",
        tls: false,
        credential: Credential::Token,
    },
    Flow {
        name: "tls",
        challenge: "bearer",
        tls: true,
        credential: Credential::Htpasswd,
    },
];

/// Every client, by every flow.
pub(super) fn checks(bench: &Bench, report: &mut Report) -> Result<()> {
    for flow in &FLOWS {
        let session = Session::start(bench, flow)?;
        skopeo::checks(&session, report);
        crane::checks(&session, report);
        oras::checks(&session, report);
    }
    Ok(())
}

/// A registry that wants a login, and what gets in there.
struct Session<'a> {
    bench: &'a Bench,
    flow: &'a Flow,
    server: Server,
    user: String,
    password: String,
    /// The authority that signed the server's certificate, if it has one.
    authority: PathBuf,
}

impl<'a> Session<'a> {
    fn start(bench: &'a Bench, flow: &'a Flow) -> Result<Self> {
        let folder = bench.path(&format!("login-{}", flow.name));
        fs::create_dir(&folder)?;
        let htpasswd = folder.join("htpasswd");
        htpasswd::write(&htpasswd, USER, PASSWORD)?;
        let authority = folder.join("authority.pem");
        let tls = match flow.tls {
            true => certify(&folder)?,
            false => String::new(),
        };
        let config = folder.join("berth.toml");
        let challenge = flow.challenge;
        let htpasswd = htpasswd.display();
        let text =
            format!("htpasswd = \"{htpasswd}\"\nchallenge = \"{challenge}\"\n{tls}\n{RULES}");
        fs::write(&config, text)?;
        let server = Server::start(bench.build, &["--config", &config.to_string_lossy()])?;
        let (user, password) = match flow.credential {
            Credential::Htpasswd => (USER.to_owned(), PASSWORD.to_owned()),
            Credential::User => ("carol".to_owned(), add_user(&server, "carol")?),
            Credential::Token => ("robot".to_owned(), add_token(&server)?),
        };
        Ok(Self {
            bench,
            flow,
            server,
            user,
            password,
            authority,
        })
    }

    /// `host:port`, with a host that a certificate can have.
    fn address(&self) -> &str {
        &self.server.address
    }

    /// `host:port/name`, in a repository of this flow and client.
    fn remote(&self, name: &str, client: &str) -> String {
        let (address, flow) = (self.address(), self.flow.name);
        format!("{address}/{name}/{flow}-{client}:v1")
    }

    /// A client that trusts the authority of this registry.
    fn client(&self, program: &str, arguments: &[&str]) -> Command {
        let mut command = self.bench.client(program, arguments);
        if self.flow.tls {
            command.env("SSL_CERT_FILE", &self.authority);
        }
        command
    }

    /// A path for a client's own files.
    fn path(&self, name: &str) -> PathBuf {
        self.bench.path(&format!("{}-{name}", self.flow.name))
    }

    /// A robot's token is for `team` alone.
    fn may_push_to_public(&self) -> bool {
        !matches!(self.flow.credential, Credential::Token)
    }

    /// What a check is called.
    fn named(&self, check: &str) -> String {
        format!("{check} ({})", self.flow.name)
    }
}

/// Makes an authority, and a certificate for this machine; answers the options that use it.
fn certify(folder: &Path) -> Result<String> {
    let authority_key = rcgen::KeyPair::generate()?;
    let mut authority = rcgen::CertificateParams::default();
    authority.is_ca = rcgen::IsCa::Ca(rcgen::BasicConstraints::Unconstrained);
    let signed = authority.self_signed(&authority_key)?;
    fs::write(folder.join("authority.pem"), signed.pem())?;
    let issuer = rcgen::Issuer::new(authority, authority_key);
    let key = rcgen::KeyPair::generate()?;
    let names = ["127.0.0.1".to_owned(), "localhost".to_owned()];
    let certificate = rcgen::CertificateParams::new(names)?.signed_by(&key, &issuer)?;
    let (certificate_file, key_file) = (folder.join("server.pem"), folder.join("server.key"));
    fs::write(&certificate_file, certificate.pem())?;
    fs::write(&key_file, key.serialize_pem())?;
    Ok(format!(
        "tls_certificate = \"{}\"\ntls_key = \"{}\"",
        certificate_file.display(),
        key_file.display()
    ))
}

/// Adds a user beside the server, and answers the password.
fn add_user(server: &Server, name: &str) -> Result<String> {
    let password = "a password of her own";
    let mut command = berth(server, &["user", "add", name, "--password-stdin"])?;
    let mut process = command.stdin(Stdio::piped()).spawn()?;
    let mut stdin = process.stdin.take().context("no input")?;
    stdin.write_all(format!("{password}\n").as_bytes())?;
    drop(stdin);
    ensure!(process.wait()?.success(), "the user could not be added");
    Ok(password.to_owned())
}

/// Adds a robot's token beside the server, and answers it.
fn add_token(server: &Server) -> Result<String> {
    let scope = ["--repository", "team/**", "--action", "pull,push"];
    let mut command = berth(server, &[&["token", "add", "ci"], &scope[..]].concat())?;
    Ok(String::from_utf8(output(&mut command)?)?.trim().to_owned())
}

fn berth(server: &Server, arguments: &[&str]) -> Result<Command> {
    let mut command = Command::new(server.program()?);
    command.args(arguments).arg("--data").arg(server.data());
    Ok(command)
}

/// The registry must refuse this, for want of a right.
fn is_not_allowed(command: &mut Command) -> Result<()> {
    let reasons = [
        "denied",
        "unauthorized",
        "authentication required",
        // skopeo and oras in their own words.
        "invalid username/password",
        "credential not found",
    ];
    let said = refusal(command)?.to_lowercase();
    ensure!(
        reasons.iter().any(|reason| said.contains(reason)),
        "{command:?} did not say why: {said}"
    );
    Ok(())
}
