//! Every error's form: `application/problem+json` of RFC 9457, which says what to do.

use axum::extract::rejection::{PathRejection, QueryRejection};
use axum::response::{IntoResponse, Response};
use hyper::StatusCode;
use hyper::header::{CONNECTION, CONTENT_TYPE, HeaderValue, RETRY_AFTER, WWW_AUTHENTICATE};
use serde::Serialize;
use std::time::Duration;
use utoipa::ToSchema;

/// An error.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, ToSchema)]
pub struct Problem {
    /// What kind of problem it is: `urn:microtome:` and a word.
    #[serde(rename = "type")]
    pub kind: String,
    /// The kind for people.
    pub title: &'static str,
    /// The HTTP status.
    pub status: u16,
    /// What is wrong with this request, and what to do.
    pub detail: String,
    /// When it is worth trying again.
    #[serde(skip)]
    retry_after: Option<Duration>,
    /// Whether the rest of the request is not read.
    #[serde(skip)]
    is_final: bool,
}

impl Problem {
    fn new(status: StatusCode, word: &str, title: &'static str, detail: impl Into<String>) -> Self {
        Self {
            kind: format!("urn:microtome:{word}"),
            title,
            status: status.as_u16(),
            detail: detail.into(),
            retry_after: None,
            is_final: false,
        }
    }

    /// 400: the request makes no sense.
    pub fn request(detail: impl Into<String>) -> Self {
        let title = "The request makes no sense";
        Self::new(StatusCode::BAD_REQUEST, "request", title, detail)
    }

    /// 401: there is no token, or it is not known.
    pub fn token(detail: impl Into<String>) -> Self {
        let title = "A token is needed";
        Self::new(StatusCode::UNAUTHORIZED, "token", title, detail)
    }

    /// 403: the token does not permit it.
    pub fn scope(detail: impl Into<String>) -> Self {
        let title = "The token does not permit this";
        Self::new(StatusCode::FORBIDDEN, "scope", title, detail)
    }

    /// 403: a page of another origin asks.
    pub fn origin(detail: impl Into<String>) -> Self {
        let title = "Pages of other origins are not served";
        Self::new(StatusCode::FORBIDDEN, "origin", title, detail)
    }

    /// 404: there is no such thing.
    pub fn absent(detail: impl Into<String>) -> Self {
        let title = "There is no such thing";
        Self::new(StatusCode::NOT_FOUND, "absent", title, detail)
    }

    /// 405: the path has other methods.
    pub fn method(detail: impl Into<String>) -> Self {
        let title = "The path does not have this method";
        Self::new(StatusCode::METHOD_NOT_ALLOWED, "method", title, detail)
    }

    /// 408: the body did not come in time.
    pub fn slow_body(detail: impl Into<String>) -> Self {
        let title = "The body did not come in time";
        let problem = Self::new(StatusCode::REQUEST_TIMEOUT, "slow-body", title, detail);
        problem.unread()
    }

    /// 409: it does not go together with how things are.
    pub fn conflict(detail: impl Into<String>) -> Self {
        let title = "This does not go together with how things are";
        Self::new(StatusCode::CONFLICT, "conflict", title, detail)
    }

    /// 413: the body is too long.
    pub fn body_len(detail: impl Into<String>) -> Self {
        let title = "The body is too long";
        let status = StatusCode::PAYLOAD_TOO_LARGE;
        Self::new(status, "body-length", title, detail).unread()
    }

    /// 415: the body is of another type.
    pub fn media_type(detail: impl Into<String>) -> Self {
        let title = "The body is of a type that is not understood";
        let status = StatusCode::UNSUPPORTED_MEDIA_TYPE;
        Self::new(status, "media-type", title, detail)
    }

    /// 421: the request is for another host.
    pub fn host(detail: impl Into<String>) -> Self {
        let title = "The request is for another host";
        Self::new(StatusCode::MISDIRECTED_REQUEST, "host", title, detail)
    }

    /// 422: the body is not what the thing takes.
    pub fn input(detail: impl Into<String>) -> Self {
        let title = "The body is not what is taken here";
        Self::new(StatusCode::UNPROCESSABLE_ENTITY, "input", title, detail)
    }

    /// 429: requests come too fast.
    pub fn rate(wait: Duration) -> Self {
        let detail = "try again after the seconds that Retry-After says; ask for larger pages, or \
                      take the stream";
        let title = "Requests come too fast";
        let status = StatusCode::TOO_MANY_REQUESTS;
        Self::new(status, "rate", title, detail).retry_after(wait)
    }

    /// 503: not now.
    pub fn busy(detail: impl Into<String>) -> Self {
        let title = "Not now";
        let status = StatusCode::SERVICE_UNAVAILABLE;
        Self::new(status, "busy", title, detail).retry_after(Duration::from_secs(1))
    }

    /// 500: the daemon failed.
    pub fn failed(detail: impl Into<String>) -> Self {
        let title = "The daemon failed";
        Self::new(StatusCode::INTERNAL_SERVER_ERROR, "failed", title, detail)
    }

    /// 504: a device or an executor did not answer in time.
    pub fn no_answer(detail: impl Into<String>) -> Self {
        let title = "There was no answer in time";
        Self::new(StatusCode::GATEWAY_TIMEOUT, "no-answer", title, detail)
    }

    fn retry_after(self, wait: Duration) -> Self {
        Self {
            retry_after: Some(wait),
            ..self
        }
    }

    fn unread(self) -> Self {
        Self {
            is_final: true,
            ..self
        }
    }
}

impl IntoResponse for Problem {
    fn into_response(self) -> Response {
        let status = StatusCode::from_u16(self.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
        let mut response = (status, axum::Json(&self)).into_response();
        let headers = response.headers_mut();
        let problem = HeaderValue::from_static("application/problem+json");
        headers.insert(CONTENT_TYPE, problem);
        if status == StatusCode::UNAUTHORIZED {
            headers.insert(WWW_AUTHENTICATE, HeaderValue::from_static("Bearer"));
        }
        if let Some(wait) = self.retry_after {
            let seconds = wait.as_millis().div_ceil(1000).max(1);
            headers.insert(RETRY_AFTER, HeaderValue::from(seconds as u64));
        }
        if self.is_final {
            headers.insert(CONNECTION, HeaderValue::from_static("close"));
        }
        response
    }
}

impl From<QueryRejection> for Problem {
    fn from(rejection: QueryRejection) -> Self {
        Self::request(rejection.body_text())
    }
}

impl From<PathRejection> for Problem {
    fn from(rejection: PathRejection) -> Self {
        Self::request(rejection.body_text())
    }
}
