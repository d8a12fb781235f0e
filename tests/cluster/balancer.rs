use std::net::TcpListener as StdListener;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use tokio::io::copy_bidirectional;
use tokio::net::{TcpListener, TcpStream};
use tokio::runtime::Runtime;
use tokio::time::{Instant, sleep, timeout};

/// How long a connection waits for a replica that accepts it.
const PATIENCE: Duration = Duration::from_secs(3);

/// Passes connections on to replicas, each to the next one that accepts it. It knows nothing of HTTP, nor of a replica that accepts
/// connections and does nothing. It ends with the value.
pub(crate) struct Balancer {
    /// `host:port`.
    pub(crate) address: String,
    replicas: Arc<Mutex<Vec<String>>>,
    _runtime: Runtime,
}

impl Balancer {
    /// Listens on a free port, before replicas at these addresses.
    pub(crate) fn before(replicas: Vec<String>) -> Self {
        let runtime = Runtime::new().unwrap();
        let listener = StdListener::bind("127.0.0.1:0").unwrap();
        listener.set_nonblocking(true).unwrap();
        let address = listener.local_addr().unwrap().to_string();
        let replicas = Arc::new(Mutex::new(replicas));
        runtime.spawn(listen(listener, replicas.clone()));
        Self {
            address,
            replicas,
            _runtime: runtime,
        }
    }

    /// From now on, a replica is at this address.
    pub(crate) fn moved(&self, replica: usize, address: &str) {
        address.clone_into(&mut self.replicas.lock().unwrap()[replica]);
    }
}

async fn listen(listener: StdListener, replicas: Arc<Mutex<Vec<String>>>) {
    let listener = TcpListener::from_std(listener).unwrap();
    let mut next = 0;
    loop {
        // What fails to be accepted has been given up by its client.
        if let Ok((client, _)) = listener.accept().await {
            tokio::spawn(pass_on(client, replicas.clone(), next));
            next += 1;
        }
    }
}

async fn pass_on(mut client: TcpStream, replicas: Arc<Mutex<Vec<String>>>, first: usize) {
    let begun = Instant::now();
    let mut next = first;
    while begun.elapsed() < PATIENCE {
        let address = {
            let replicas = replicas.lock().unwrap();
            replicas[next % replicas.len()].clone()
        };
        next += 1;
        let connecting = TcpStream::connect(address);
        if let Ok(Ok(mut replica)) = timeout(Duration::from_secs(1), connecting).await {
            // However it ends, both sides see their connection end.
            let _ended = copy_bidirectional(&mut client, &mut replica).await;
            return;
        }
        sleep(Duration::from_millis(20)).await;
    }
}
