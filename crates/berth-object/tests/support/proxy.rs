use std::sync::{Arc, Mutex};
use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

/// What goes wrong with a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Fault {
    /// The connection ends after so many bytes of the answer.
    CutAnswer(usize),
    /// The connection ends after so many bytes of the request have reached the server.
    CutRequest(usize),
    /// The server does it, and the connection ends before a byte of the answer.
    DropAnswer,
    /// The answer is 503, and the server hears nothing.
    SlowDown,
    /// Nothing comes for so long after so many bytes of the answer, and then the connection ends.
    Stall(usize, Duration),
}

/// Which requests go wrong: of those that begin like this, the next so many after the first ones.
#[derive(Clone, Debug)]
struct Rule {
    method: &'static str,
    part_of_target: String,
    after: usize,
    fault: Fault,
    times: usize,
}

/// A proxy before a server, on which requests can go wrong. It ends with the runtime.
#[derive(Clone)]
pub(crate) struct Proxy {
    address: String,
    rules: Arc<Mutex<Vec<Rule>>>,
    seen: Arc<Mutex<Vec<String>>>,
}

impl Proxy {
    pub(crate) async fn before(server: &str) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let proxy = Self {
            address: listener.local_addr().unwrap().to_string(),
            rules: Arc::default(),
            seen: Arc::default(),
        };
        let (serving, server) = (proxy.clone(), server.to_owned());
        tokio::spawn(async move {
            while let Ok((client, _)) = listener.accept().await {
                let (proxy, server) = (serving.clone(), server.clone());
                tokio::spawn(async move { proxy.serve(client, &server).await });
            }
        });
        proxy
    }

    pub(crate) fn endpoint(&self) -> String {
        format!("http://{}", self.address)
    }

    /// Has requests with this method and this in their target go wrong, the next `times` times.
    pub(crate) fn fail(
        &self,
        method: &'static str,
        part_of_target: &str,
        fault: Fault,
        times: usize,
    ) {
        self.rules.lock().unwrap().push(Rule {
            method,
            part_of_target: part_of_target.to_owned(),
            after: 0,
            fault,
            times,
        });
    }

    /// Has one request go wrong, whatever it is: the one after so many others.
    pub(crate) fn fail_one(&self, after: usize, fault: Fault) {
        self.rules.lock().unwrap().push(Rule {
            method: "",
            part_of_target: String::new(),
            after,
            fault,
            times: 1,
        });
    }

    /// Forgets what was to go wrong, and answers how often it has not.
    pub(crate) fn calm(&self) -> usize {
        let rules = std::mem::take(&mut *self.rules.lock().unwrap());
        rules.iter().map(|rule| rule.times).sum()
    }

    /// The first lines of all requests since the last time.
    pub(crate) fn seen(&self) -> Vec<String> {
        std::mem::take(&mut *self.seen.lock().unwrap())
    }

    fn fault_of(&self, line: &str) -> Option<Fault> {
        self.seen.lock().unwrap().push(line.to_owned());
        let mut rules = self.rules.lock().unwrap();
        let rule = rules.iter_mut().find(|rule| {
            rule.times > 0 && line.starts_with(rule.method) && line.contains(&rule.part_of_target)
        })?;
        if rule.after > 0 {
            rule.after -= 1;
            return None;
        }
        rule.times -= 1;
        Some(rule.fault)
    }

    /// Each connection to the server takes one request: so the end of an answer is the end of its
    /// connection.
    async fn serve(&self, mut client: TcpStream, server: &str) -> Option<()> {
        while let Some(request) = Request::read(&mut client).await {
            let fault = self.fault_of(&request.line());
            if let Some(Fault::SlowDown) = fault {
                let body =
                    "<Error><Code>SlowDown</Code><Message>Reduce your rate</Message></Error>";
                let answer = format!(
                    "HTTP/1.1 503 Slow Down\r\nContent-Length: {}\r\n\r\n{body}",
                    body.len()
                );
                client.write_all(answer.as_bytes()).await.ok()?;
                continue;
            }
            let mut upstream = TcpStream::connect(server).await.ok()?;
            let whole = request.closing();
            if let Some(Fault::CutRequest(bytes)) = fault {
                upstream
                    .write_all(&whole[..bytes.min(whole.len())])
                    .await
                    .ok()?;
                return None;
            }
            upstream.write_all(&whole).await.ok()?;
            let mut answer = Vec::new();
            upstream.read_to_end(&mut answer).await.ok()?;
            match fault {
                Some(Fault::DropAnswer) => return None,
                Some(Fault::CutAnswer(bytes)) => {
                    client
                        .write_all(&answer[..bytes.min(answer.len())])
                        .await
                        .ok()?;
                    return None;
                }
                Some(Fault::Stall(bytes, time)) => {
                    client
                        .write_all(&answer[..bytes.min(answer.len())])
                        .await
                        .ok()?;
                    tokio::time::sleep(time).await;
                    return None;
                }
                _ => client.write_all(&answer).await.ok()?,
            }
            // The answer tells the client that its connection ends too.
            return None;
        }
        None
    }
}

/// A request with a body of a length that its head tells.
struct Request {
    head: String,
    body: Vec<u8>,
}

impl Request {
    async fn read(client: &mut TcpStream) -> Option<Self> {
        let mut read = Vec::new();
        let end = loop {
            if let Some(end) = read.windows(4).position(|four| four == b"\r\n\r\n") {
                break end + 4;
            }
            if client.read_buf(&mut read).await.ok()? == 0 {
                return None;
            }
        };
        let mut body = read.split_off(end);
        let head = String::from_utf8(read).unwrap();
        let length = head.lines().find_map(|line| {
            let (name, value) = line.split_once(':')?;
            let is_length = name.eq_ignore_ascii_case("content-length");
            is_length.then(|| value.trim().parse::<usize>().unwrap())
        });
        while body.len() < length.unwrap_or(0) {
            if client.read_buf(&mut body).await.ok()? == 0 {
                return None;
            }
        }
        Some(Self { head, body })
    }

    fn line(&self) -> String {
        self.head.lines().next().unwrap_or_default().to_owned()
    }

    /// The request, asking the server to end the connection after it.
    fn closing(&self) -> Vec<u8> {
        let head = self.head.replacen("\r\n", "\r\nConnection: close\r\n", 1);
        [head.as_bytes(), &self.body].concat()
    }
}
