use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use reqwest::Method;
use reqwest::blocking::Client;

use crate::harness::{self, Answer};

/// How long an answer may take. A replica that was stopped gives none.
const PATIENCE: Duration = Duration::from_secs(6);

/// Sends requests, each over a connection of its own, and remembers what became of them.
pub(crate) struct Caller {
    client: Client,
    /// `host:port`.
    address: String,
    begun: Instant,
    history: Vec<String>,
    failures: BTreeMap<String, usize>,
}

/// A request, to be sent as often as it takes.
#[derive(Clone, Copy)]
pub(crate) struct Request<'a> {
    pub(crate) method: &'static str,
    pub(crate) path: &'a str,
    pub(crate) headers: &'a [(&'a str, &'a str)],
    pub(crate) body: &'a [u8],
}

impl<'a> Request<'a> {
    pub(crate) fn new(method: &'static str, path: &'a str) -> Self {
        Self {
            method,
            path,
            headers: &[],
            body: &[],
        }
    }
}

/// There was no answer, or the server told of a fault of its own: the request may have been carried out, or may yet be.
pub(crate) struct Unanswered;

impl Caller {
    pub(crate) fn new(address: &str) -> Self {
        // Whoever keeps a connection keeps a replica.
        let client = harness::client().pool_max_idle_per_host(0);
        Self {
            client: client.timeout(PATIENCE).build().unwrap(),
            address: address.to_owned(),
            begun: Instant::now(),
            history: Vec::new(),
            failures: BTreeMap::new(),
        }
    }

    /// Sends a request.
    pub(crate) fn ask(&mut self, request: Request<'_>) -> Result<Answer, Unanswered> {
        self.ask_for(PATIENCE, request)
    }

    /// As [`Caller::ask`], for an answer that may take so long.
    pub(crate) fn ask_for(
        &mut self,
        patience: Duration,
        request: Request<'_>,
    ) -> Result<Answer, Unanswered> {
        let Request { method, path, .. } = request;
        let asked = self.begun.elapsed();
        let answer = self.send(patience, request);
        let outcome = match &answer {
            Ok(answer) => answer.status.to_string(),
            Err(error) => error.clone(),
        };
        let (from, to) = (asked.as_secs_f64(), self.begun.elapsed().as_secs_f64());
        let length = request.body.len();
        self.history.push(format!(
            "{from:.3}-{to:.3} {method} {path} ({length} bytes): {outcome}"
        ));
        match answer {
            Ok(answer) if answer.status < 500 => Ok(answer),
            Ok(answer) => {
                let text = String::from_utf8_lossy(&answer.body).into_owned();
                Err(self.failed(format!("{} {text}", answer.status)))
            }
            Err(error) => Err(self.failed(error)),
        }
    }

    fn send(&self, patience: Duration, request: Request<'_>) -> Result<Answer, String> {
        let url = format!("http://{}{}", self.address, request.path);
        let method = Method::from_bytes(request.method.as_bytes()).unwrap();
        let mut sending = self.client.request(method, url).timeout(patience);
        for (name, value) in request.headers {
            sending = sending.header(*name, *value);
        }
        let answer = sending.body(request.body.to_vec()).send();
        let answer = answer.map_err(|error| cause(&error))?;
        Answer::whole(answer).ok_or_else(|| "the answer broke off".to_owned())
    }

    fn failed(&mut self, how: String) -> Unanswered {
        *self.failures.entry(how).or_default() += 1;
        Unanswered
    }

    /// What became of requests that have this in their path, in order.
    pub(crate) fn history_of(&self, part: &str) -> Vec<&str> {
        let lines = self.history.iter().map(String::as_str);
        lines.filter(|line| line.contains(part)).collect()
    }

    /// All requests, and what became of them.
    pub(crate) fn into_history(self) -> Vec<String> {
        self.history
    }

    /// How requests failed that have no answer, and how often.
    pub(crate) fn failures(&self) -> &BTreeMap<String, usize> {
        &self.failures
    }
}

/// The innermost cause of an error.
fn cause(error: &dyn std::error::Error) -> String {
    match error.source() {
        Some(source) => cause(source),
        None => error.to_string(),
    }
}
