use std::io::{BufRead, ErrorKind, IsTerminal, stdin};

use anyhow::{Context, bail, ensure};
use secrecy::{ExposeSecret, SecretString};

/// The shortest password, in characters.
const SHORTEST: usize = 8;

/// The longest password, in bytes.
const LONGEST: usize = 1024;

/// Where a new password comes from.
pub(crate) enum Question<'a> {
    /// One line of standard input.
    StandardInput,
    /// Whoever sits at the terminal: is asked twice for the password of this user, and sees nothing of it.
    Terminal(&'a str),
}

/// Reads a new password, and refuses one that is too weak.
pub(crate) fn read_password(question: &Question<'_>) -> anyhow::Result<SecretString> {
    let password = match question {
        Question::StandardInput => first_line(stdin().lock())?,
        Question::Terminal(name) => ask_twice(name)?,
    };
    check(password.expose_secret())?;
    Ok(password)
}

fn ask_twice(name: &str) -> anyhow::Result<SecretString> {
    ensure!(
        stdin().is_terminal(),
        "there is no terminal to ask for the password on; give it on standard input with --password-stdin"
    );
    let password = ask(&format!("New password of {name}: "))?;
    check(password.expose_secret())?;
    let again = ask("The same again: ")?;
    ensure!(
        password.expose_secret() == again.expose_secret(),
        "the two passwords differ; nothing was changed"
    );
    Ok(password)
}

fn ask(question: &str) -> anyhow::Result<SecretString> {
    let answer = rpassword::prompt_password(question);
    answer
        .map(SecretString::from)
        .context("the password cannot be read from the terminal")
}

/// Without its end.
fn first_line(input: impl BufRead) -> anyhow::Result<SecretString> {
    let mut line = String::new();
    // One more than fits, and an end: so what is too long is known to be.
    let limit = LONGEST as u64 + 3;
    match input.take(limit).read_line(&mut line) {
        Err(error) if error.kind() == ErrorKind::InvalidData => {
            bail!("the password is not UTF-8")
        }
        read => read.context("the password cannot be read from standard input")?,
    };
    let line = SecretString::from(line);
    let text = line.expose_secret();
    let text = text.strip_suffix('\n').unwrap_or(text);
    Ok(text.strip_suffix('\r').unwrap_or(text).into())
}

fn check(password: &str) -> anyhow::Result<()> {
    ensure!(!password.is_empty(), "a password cannot be empty");
    ensure!(
        password.chars().count() >= SHORTEST,
        "a password needs at least {SHORTEST} characters"
    );
    ensure!(
        password.len() <= LONGEST,
        "a password has at most {LONGEST} bytes"
    );
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn line(input: &[u8]) -> Result<String, String> {
        let line = first_line(input).map_err(|error| error.to_string())?;
        Ok(line.expose_secret().to_owned())
    }

    #[test]
    fn a_line_ends_where_editors_and_shells_end_it() {
        let ends: [&[u8]; 5] = [b"a b", b"a b\n", b"a b\r\n", b"a b\nmore", b"a b\r\nmore\n"];
        for input in ends {
            assert_eq!(line(input).unwrap(), "a b");
        }
        for empty in [&b""[..], b"\n", b"\r\n"] {
            assert_eq!(line(empty).unwrap(), "");
        }
        // Spaces and all else belong to it.
        assert_eq!(line(b" a\tb \r\r\n").unwrap(), " a\tb \r");
        assert!(line(b"\xff\n").unwrap_err().contains("UTF-8"));
    }

    #[test]
    fn what_is_too_short_or_too_long_is_refused() {
        for good in ["12345678", "äöüäöüäö", &"x".repeat(LONGEST)] {
            assert!(check(good).is_ok());
        }
        let far_too_long = "x".repeat(10 * LONGEST);
        let read = line(far_too_long.as_bytes()).unwrap();
        let just_too_long = "x".repeat(LONGEST + 1);
        let just_too_long = line(format!("{just_too_long}\r\n").as_bytes()).unwrap();
        for bad in ["", "1234567", "äöüäöüä", &read, &just_too_long] {
            let error = check(bad).unwrap_err().to_string();
            assert!(error.contains("a password"), "{error}");
        }
    }
}
