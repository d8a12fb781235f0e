//! Method, path and query of a registry request to one typed [`Route`], and back to the URL.
//!
//! Everything that a request names is checked here, once: a [`Route`] holds only valid repository
//! names, tags, digests and session ids, so `..`, empty components and NUL cannot get further.
//! Percent-encoding is decoded here, once. There is no I/O.
//!
//! ```
//! use berth_route::{Route, url};
//! use http::Method;
//!
//! // Read from the right: the manifest `v1` of the repository `a/blobs/uploads`.
//! let route = Route::parse(&Method::GET, "/v2/a/blobs/uploads/manifests/v1", None)?;
//! let Route::GetManifest { repository, reference } = route else {
//!     panic!("no manifest");
//! };
//! assert_eq!(repository.as_str(), "a/blobs/uploads");
//! assert_eq!(url::manifest(&repository, &reference), "/v2/a/blobs/uploads/manifests/v1");
//!
//! let refused = Route::parse(&Method::PATCH, "/v2/a/tags/list", None).unwrap_err();
//! assert_eq!((refused.status().as_u16(), refused.allow()), (405, Some("GET")));
//! # Ok::<(), berth_route::RouteError>(())
//! ```
#![forbid(unsafe_code)]

mod error;
mod parse;
mod query;
mod resource;
mod route;
pub mod url;

pub use error::RouteError;
pub use route::{MountFrom, Page, Route, Session, StartUpload};
