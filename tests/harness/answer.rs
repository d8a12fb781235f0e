use reqwest::blocking::Response;
use reqwest::header::HeaderMap;
use serde_json::Value;

/// What the server answered, read to its end.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) headers: HeaderMap,
    pub(crate) body: Vec<u8>,
}

impl Answer {
    pub(crate) fn of(response: Response) -> Self {
        Self::whole(response).unwrap()
    }

    /// `None` if the answer breaks off.
    pub(crate) fn whole(response: Response) -> Option<Self> {
        Some(Self {
            status: response.status().as_u16(),
            headers: response.headers().clone(),
            body: response.bytes().ok()?.to_vec(),
        })
    }

    /// A header that must be there.
    pub(crate) fn header(&self, name: &str) -> &str {
        let value = self.headers.get(name);
        let value = value.unwrap_or_else(|| panic!("there is no {name} in {self:?}"));
        value.to_str().unwrap()
    }

    pub(crate) fn has(&self, name: &str) -> bool {
        self.headers.contains_key(name)
    }

    /// The body, as far as it can be read.
    pub(crate) fn text(&self) -> String {
        String::from_utf8_lossy(&self.body).into_owned()
    }

    pub(crate) fn json(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap_or_else(|error| panic!("{error}: {self:?}"))
    }

    /// The answer must have this status.
    pub(crate) fn is(self, status: u16) -> Self {
        let body = String::from_utf8_lossy(&self.body[..self.body.len().min(500)]);
        assert_eq!(self.status, status, "{:?} {body}", self.headers);
        self
    }

    /// The answer must be an error of the specification: status, code, and a message for a human.
    pub(crate) fn fails_with(self, status: u16, code: &str) -> Self {
        let answer = self.is(status);
        assert_eq!(answer.header("content-type"), "application/json");
        let errors = answer.json();
        let errors = errors["errors"].as_array().expect("errors is no list");
        assert!(!errors.is_empty(), "there is no error in the list");
        for error in errors {
            assert_eq!(error["code"], code, "{errors:?}");
            assert!(error["message"].as_str().unwrap().len() > 10, "{errors:?}");
        }
        answer
    }

    /// The message of the first error.
    pub(crate) fn message(&self) -> String {
        self.json()["errors"][0]["message"]
            .as_str()
            .unwrap()
            .to_owned()
    }

    /// The URL of the next page, if there is one.
    pub(crate) fn next(&self) -> Option<String> {
        let link = self.headers.get("link")?.to_str().unwrap();
        let url = link.strip_prefix('<')?.strip_suffix(">; rel=\"next\"");
        Some(url.unwrap_or_else(|| panic!("{link}")).to_owned())
    }
}
