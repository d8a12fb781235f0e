//! Sends files over TCP without copying them through this process, beneath an HTTP library that
//! knows nothing but slices of memory.
//!
//! [`FileMaps::map`] makes a file look like memory, [`SendfileStream`] recognizes that memory when
//! it is to be written, and lets the kernel send the file instead.
//!
//! ```
//! use std::fs::File;
//! use std::sync::Arc;
//! use berth_sendfile::SendfileStream;
//! use tokio::io::{AsyncReadExt, AsyncWriteExt};
//! use tokio::net::{TcpListener, TcpStream};
//!
//! # #[tokio::main(flavor = "current_thread")]
//! # async fn main() -> std::io::Result<()> {
//! let folder = tempfile::tempdir()?;
//! let path = folder.path().join("file");
//! std::fs::write(&path, "a file that is never changed")?;
//!
//! let listener = TcpListener::bind("127.0.0.1:0").await?;
//! let mut client = TcpStream::connect(listener.local_addr()?).await?;
//! let mut server = SendfileStream::new(listener.accept().await?.0);
//!
//! let bytes = server.maps().map(Arc::new(File::open(path)?), 2..6)?;
//! server.write_all(&bytes).await?;
//! drop(server);
//!
//! let mut received = String::new();
//! client.read_to_string(&mut received).await?;
//! assert_eq!(received, "file");
//! # Ok(())
//! # }
//! ```
// `forbid` is not possible: mapping a file is unsafe. `map.rs` says why it is sound here.
#![deny(unsafe_code)]

mod cached;
mod map;
mod stream;

pub use cached::{is_cached, load};
pub use map::FileMaps;
pub use stream::SendfileStream;
