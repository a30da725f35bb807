//! What strangers may send to the HTTP API: bodies that become a plan's input, and queries.

use axum::extract::Query;
use axum::http::Uri;
use microtome_api::input::{Form, values};
use microtome_api::routes::{ResultsQuery, StreamQuery};
use microtome_plan::{ArenaAt, Element, ModelType, Port};

/// The first byte says what the others are: a body for an input of some type, or a query.
/// Accepted is what makes an input, which must have as many bytes as the arena holds for it and
/// be taken as it is once more; or a query, which must say the same when it is read again.
pub fn http(bytes: &[u8]) -> bool {
    const TYPES: [(ModelType, Element); 8] = [
        (ModelType::F32, Element::I8),
        (ModelType::I8, Element::I8),
        (ModelType::U8, Element::I8),
        (ModelType::Bool, Element::I8),
        (ModelType::F32, Element::F32),
        (ModelType::I32, Element::I32),
        (ModelType::I64, Element::I32),
        (ModelType::I32, Element::I16),
    ];
    let Some((&kind, rest)) = bytes.split_first() else {
        return false;
    };
    match TYPES.get(usize::from(kind)) {
        Some(&(model_type, element)) => body(rest, model_type, element),
        None => query(rest),
    }
}

fn body(bytes: &[u8], model_type: ModelType, element: Element) -> bool {
    let port = Port {
        name: "x",
        at: ArenaAt(0),
        dims: [1, 2, 1, 3].into_iter().collect(),
        order: [0, 2, 3, 1].into_iter().collect(),
        model_type,
        element,
        scale: 0.5,
        zero: 1,
    };
    let Ok(found) = values(bytes, Form::Npy, &port) else {
        return false;
    };
    assert_eq!(found.len(), port.len_bytes());
    assert_eq!(values(&found, Form::Raw, &port).as_ref(), Ok(&found));
    true
}

fn query(bytes: &[u8]) -> bool {
    let Ok(text) = std::str::from_utf8(bytes) else {
        return false;
    };
    let Ok(uri) = format!("/v1/results?{text}").parse::<Uri>() else {
        return false;
    };
    let results = Query::<ResultsQuery>::try_from_uri(&uri);
    let stream = Query::<StreamQuery>::try_from_uri(&uri);
    if let (Ok(Query(results)), Ok(Query(stream))) = (&results, &stream) {
        assert_eq!(results.after, stream.after);
        assert_eq!(results.device, stream.device);
    }
    results.is_ok()
}
