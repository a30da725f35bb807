//! What every request passes: which host it is meant for, whose it is, how often, and whether
//! that permits it.
//!
//! A page of some other site that runs in a browser of this computer can send requests to
//! loopback. Where its own name was made to lead here (DNS rebinding) the request names another
//! host; else it names another origin. Both are refused, and no header invites other origins.

use crate::config::ApiConfig;
use crate::metrics::Refused;
use crate::problem::Problem;
use crate::state::{App, Connection};
use crate::token::Scope;
use axum::extract::{MatchedPath, Request, State};
use axum::middleware::Next;
use axum::response::{IntoResponse as _, Response};
use hyper::Method;
use hyper::header::{AUTHORIZATION, HOST, HeaderMap, HeaderName, ORIGIN};
use hyper::http::uri::{Authority, Uri};
use std::net::IpAddr;
use std::sync::Arc;
use std::time::Instant;

/// Who asks.
#[derive(Clone, Debug, Default)]
pub(crate) struct Caller {
    /// The token's name; none where there was no token.
    name: Option<String>,
    scopes: Vec<Scope>,
}

/// Admits a request, and takes note of it.
pub(crate) async fn admit(
    State(app): State<Arc<App>>,
    mut request: Request,
    next: Next,
) -> Response {
    let begun = Instant::now();
    let path = request.extensions().get::<MatchedPath>();
    let route = path.map_or("none", MatchedPath::as_str).to_owned();
    let peer = request.extensions().get::<Connection>();
    let peer = peer.map(|connection| connection.peer);
    let method = request.method().clone();
    let (caller, response) = match check(&app, &request, peer.map(|peer| peer.ip())) {
        Ok(caller) => {
            request.extensions_mut().insert(caller.clone());
            (caller, next.run(request).await)
        }
        Err((reason, problem)) => {
            app.hub.metrics.refuse(reason);
            (Caller::default(), problem.into_response())
        }
    };
    let status = response.status().as_u16();
    app.hub.metrics.request(&route, status);
    let peer = peer.map(tracing::field::display);
    let caller = caller.name.as_deref();
    let us = begun.elapsed().as_micros() as u64;
    // Who switched, ran or updated something stays in the log.
    if method == Method::GET {
        tracing::debug!(%method, route, status, us, caller, peer, "request");
    } else {
        tracing::info!(%method, route, status, us, caller, peer, "request");
    }
    response
}

/// Whose request it is, unless it is refused.
fn check(app: &App, request: &Request, peer: Option<IpAddr>) -> Result<Caller, (Refused, Problem)> {
    let host = |problem| (Refused::Host, problem);
    check_host(&app.config, request.uri(), request.headers()).map_err(host)?;
    let caller = identify(app, request.headers());
    let taken = match (&caller, peer) {
        (
            Ok(Caller {
                name: Some(name), ..
            }),
            _,
        ) => app.rate.token(name),
        (_, Some(address)) => app.rate.address(address),
        (_, None) => Ok(()),
    };
    taken.map_err(|wait| (Refused::Rate, Problem::rate(wait)))?;
    caller.map_err(|problem| (Refused::Token, problem))
}

/// The only value of a header, if it is text.
fn only<'h>(headers: &'h HeaderMap, name: &HeaderName) -> Result<Option<&'h str>, Problem> {
    let mut values = headers.get_all(name).iter();
    match (values.next(), values.next()) {
        (None, _) => Ok(None),
        (Some(value), None) => match value.to_str() {
            Ok(value) => Ok(Some(value)),
            Err(_) => Err(Problem::request(format!("the header {name} is not text"))),
        },
        _ => Err(Problem::request(format!(
            "the header {name} is there twice"
        ))),
    }
}

fn check_host(config: &ApiConfig, uri: &Uri, headers: &HeaderMap) -> Result<(), Problem> {
    let named = match (uri.authority(), only(headers, &HOST)?) {
        (Some(authority), _) => authority.clone(),
        (None, Some(host)) => host
            .parse()
            .map_err(|_| Problem::request("the header host is no host"))?,
        (None, None) => return Err(Problem::request("the header host is missing")),
    };
    let is_listed = |host: &str| {
        let mut hosts = config.hosts.iter();
        hosts.any(|listed| listed.eq_ignore_ascii_case(host))
    };
    let host = bare(&named);
    let is_checked = config.is_loopback() || !config.hosts.is_empty();
    let is_ours = is_listed(host) || config.is_loopback() && is_loopback(host);
    if is_checked && !is_ours {
        return Err(Problem::host(format!(
            "{host:?} is not a name of this API; add it to `hosts` in the section [api] if it is"
        )));
    }
    let Some(origin) = only(headers, &ORIGIN)? else {
        return Ok(());
    };
    let origin = origin.parse::<Uri>().ok();
    let origin = origin.as_ref().and_then(Uri::authority);
    match origin {
        Some(origin) if *origin == named || is_listed(bare(origin)) => Ok(()),
        _ => Err(Problem::origin(
            "a page of another origin asks; add its host to `hosts` in the section [api] if it may",
        )),
    }
}

/// The host alone, without the brackets of IPv6.
fn bare(authority: &Authority) -> &str {
    let host = authority.host();
    let inner = host
        .strip_prefix('[')
        .and_then(|rest| rest.strip_suffix(']'));
    inner.unwrap_or(host)
}

fn is_loopback(host: &str) -> bool {
    let address = host.parse::<IpAddr>();
    host.eq_ignore_ascii_case("localhost") || address.is_ok_and(|address| address.is_loopback())
}

/// Who asks, by the token of the request.
fn identify(app: &App, headers: &HeaderMap) -> Result<Caller, Problem> {
    let Some(value) = only(headers, &AUTHORIZATION)? else {
        return Ok(Caller::default());
    };
    let (scheme, presented) = value.split_once(' ').unwrap_or((value, ""));
    if !scheme.eq_ignore_ascii_case("bearer") {
        return Err(Problem::token(
            "the header authorization must be `Bearer` and a token",
        ));
    }
    let token = app.tokens.find(presented.trim()).ok_or_else(|| {
        Problem::token("the token is not known; `microtome token` makes one, then start the daemon")
    })?;
    Ok(Caller {
        name: Some(token.name.clone()),
        scopes: token.scopes.clone(),
    })
}

/// Lets those pass who may do what `scope` permits.
pub(crate) async fn permit(
    State((app, scope)): State<(Arc<App>, Scope)>,
    request: Request,
    next: Next,
) -> Response {
    let config = &app.config;
    let is_open = config.is_loopback() && config.open_loopback.contains(&scope);
    let caller = request.extensions().get::<Caller>();
    let problem = match caller {
        _ if is_open => None,
        Some(caller) if caller.scopes.contains(&scope) => None,
        Some(Caller {
            name: Some(name), ..
        }) => Some(Problem::scope(format!(
            "this needs the scope {scope}, which the token {name:?} does not have"
        ))),
        _ => Some(Problem::token(format!(
            "this needs a token with the scope {scope}; make one with `microtome token --name \
             NAME --scope {scope}` and send it as `Authorization: Bearer TOKEN`"
        ))),
    };
    match problem {
        None => next.run(request).await,
        Some(problem) => {
            app.hub.metrics.refuse(Refused::Token);
            problem.into_response()
        }
    }
}
