//! The token server of the registry itself: `GET` and `POST` of `/token`.

use berth_auth::{AuthenticationError, MAX_REQUEST_LENGTH, TokenAnswer, TokenError, TokenGrant, TokenRequest};
use berth_spec::{ErrorBody, ErrorCode};
use bytes::Bytes;
use http::{HeaderMap, Method, StatusCode, header};

use crate::enforcement::Enforcement;
use crate::errors::Failure;
use crate::head::Head;
use crate::large_bodies::LargeBodies;
use crate::request_body::{CollectError, RequestBody};
use crate::responses::Answer;
use crate::throttle::Refused;

/// Where tokens are to be had.
pub(crate) const PATH: &str = "/token";

/// The methods that it takes.
const ALLOW: &str = "GET, POST";
