use std::net::SocketAddr;
use std::time::Duration;

use berth_tls::{ClientCertificate, HandshakeError, TlsAcceptor, TlsConnection, TlsFiles, close};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel};

/// Long, so that only a test of the deadline meets it.
const DEADLINE: Duration = Duration::from_secs(60);

/// A server that tells each client its name, and then sends back what it gets.
pub(crate) struct Server {
    pub(crate) address: SocketAddr,
    pub(crate) acceptor: TlsAcceptor,
    errors: UnboundedReceiver<HandshakeError>,
    certificates: UnboundedReceiver<ClientCertificate>,
}

impl Server {
    pub(crate) async fn start(files: TlsFiles) -> Self {
        Self::start_with(files, DEADLINE).await
    }

    pub(crate) async fn start_with(files: TlsFiles, deadline: Duration) -> Self {
        let acceptor = TlsAcceptor::load(files).unwrap();
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let (sender, errors) = unbounded_channel();
        let (seen, certificates) = unbounded_channel();
        tokio::spawn(accept(listener, acceptor.clone(), deadline, sender, seen));
        Self {
            address,
            acceptor,
            errors,
            certificates,
        }
    }

    /// The certificate of the next client that has one.
    pub(crate) async fn certificate(&mut self) -> ClientCertificate {
        self.certificates.recv().await.unwrap()
    }

    /// Why the next handshake that fails does so.
    pub(crate) async fn error(&mut self) -> HandshakeError {
        self.errors.recv().await.unwrap()
    }
}

async fn accept(
    listener: TcpListener,
    acceptor: TlsAcceptor,
    deadline: Duration,
    errors: UnboundedSender<HandshakeError>,
    certificates: UnboundedSender<ClientCertificate>,
) {
    loop {
        let (stream, _) = listener.accept().await.unwrap();
        let (acceptor, errors) = (acceptor.clone(), errors.clone());
        let certificates = certificates.clone();
        tokio::spawn(async move {
            match acceptor.accept(stream, deadline).await {
                Ok(connection) => {
                    if let Some(certificate) = connection.certificate.clone() {
                        // Nobody listens once the test is over.
                        let _ = certificates.send(certificate);
                    }
                    greet(connection).await;
                }
                Err(HandshakeError::NotTls(stream)) => refuse(stream).await,
                Err(error) => errors.send(error).unwrap(),
            }
        });
    }
}

async fn greet(mut connection: TlsConnection) {
    let name = connection
        .certificate
        .as_ref()
        .map_or("nobody", ClientCertificate::common_name);
    let greeting = format!("{name}\n");
    let stream = &mut connection.stream;
    if stream.write_all(greeting.as_bytes()).await.is_err() {
        return;
    }
    let mut bytes = [0; 1024];
    while let Ok(length @ 1..) = stream.read(&mut bytes).await {
        if stream.write_all(&bytes[..length]).await.is_err() {
            return;
        }
    }
}

async fn refuse(mut stream: TcpStream) {
    stream.write_all(b"speak TLS").await.unwrap();
    close(stream).await;
}
