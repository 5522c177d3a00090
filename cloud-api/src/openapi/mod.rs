//! The API document: what the routes do not say themselves, and the pages that show it.

mod example;
mod postman;
mod repair;

pub use postman::collection;

use crate::domains::realtime::page as live;
use crate::http::{IfNoneMatch, Problem};
use axum::Router;
use axum::http::StatusCode;
use axum::response::Redirect;
use axum::routing::get;
use serde_json::Value;
use std::sync::Arc;
use utoipa::openapi::path::Operation;
use utoipa::openapi::security::{HttpAuthScheme, HttpBuilder, SecurityScheme};
use utoipa::openapi::{
    Content, ContentBuilder, OpenApi, PathItem, Ref, RefOr, ResponseBuilder, Schema,
};
use utoipa_swagger_ui::{Config, SwaggerUi};

/// Title, security schemes and tags; routes are added to it.
pub fn preamble() -> OpenApi {
    #[derive(utoipa::OpenApi)]
    #[openapi(
        info(
            title = "Gymwire",
            description = "Accounts, branches and machines of gyms, for apps; and the gateway for edge agents \
                           (`/edge/v1`). `/api/*` and `/v1/*` are the same routes as `/api/v1/*`. Every error is \
                           an RFC 9457 problem.",
        ),
        components(schemas(Problem)),
        tags(
            (name = "accounts", description = "Making an account, logging in and out"),
            (name = "users", description = "What users tell about themselves"),
            (name = "body", description = "What was measured of bodies, and what follows from it"),
            (name = "privacy", description = "Consents, archives, and leaving"),
            (name = "files", description = "Pictures and archives"),
            (name = "branches", description = "Branches, joining them and leaving them"),
            (name = "admin", description = "For who runs the organization"),
            (name = "members", description = "Who trains: for the desk of a branch"),
            (name = "workouts", description = "What members did at machines, and what machines deliver themselves"),
            (name = "machines", description = "Machines, whether they are free, and what they measured"),
            (name = "realtime", description = "What happens, live; its messages are in `/api/v1/asyncapi.json`"),
            (name = "edges", description = "For edge agents"),
            (name = "operations", description = "For operators: health and metrics"),
        ),
    )]
    struct Preamble;
    let mut document = <Preamble as utoipa::OpenApi>::openapi();
    let components = document.components.get_or_insert_default();
    for (name, description) in SCHEMES {
        let scheme = HttpBuilder::new()
            .scheme(HttpAuthScheme::Bearer)
            .bearer_format("JWT")
            .description(Some(description));
        components.add_security_scheme(name, SecurityScheme::Http(scheme.build()));
    }
    let device = HttpBuilder::new().scheme(HttpAuthScheme::Basic).description(Some(DEVICE));
    components.add_security_scheme("device", SecurityScheme::Http(device.build()));
    document
}

const DEVICE: &str = "A device proves itself: its id is the user name, its secret the password.";

const SCHEMES: [(&str, &str); 2] = [
    ("bearer", "Access token of a user, from `POST /api/v1/auth/login`. Scopes are permissions."),
    ("edge", "Access token of an edge agent, from `POST /edge/v1/token`."),
];

/// Adds what is the same everywhere: the problem as default answer, and examples of bodies.
pub fn complete(mut document: OpenApi) -> OpenApi {
    repair::repair(&mut document);
    relax_patches(&mut document);
    add_examples(&mut document);
    for operation in document.paths.paths.values_mut().flat_map(operations) {
        let problem = ContentBuilder::new().schema(Some(Ref::from_schema_name("Problem"))).build();
        let answer = ResponseBuilder::new()
            .description("Any other error")
            .content("application/problem+json", problem);
        let responses = &mut operation.responses.responses;
        for (status, response) in responses.iter_mut() {
            if let RefOr::T(response) = response
                && response.description.is_empty()
            {
                reason(status).clone_into(&mut response.description);
            }
        }
        responses.insert("default".to_owned(), RefOr::T(answer.build()));
    }
    document
}

const JSON: &str = "application/json";

/// A PATCH takes the fields of the whole (`http::Patch`), of which none has to be told.
fn relax_patches(document: &mut OpenApi) {
    let components = document.components.clone().unwrap_or_default();
    for patch in document.paths.paths.values_mut().filter_map(|path| path.patch.as_mut()) {
        let Some(RefOr::T(body)) = &mut patch.request_body else { continue };
        for content in body.content.values_mut() {
            let RefOr::T(Content { schema: Some(schema), .. }) = content else { continue };
            let RefOr::Ref(reference) = &*schema else { continue };
            let name = reference.ref_location.rsplit('/').next().unwrap_or_default();
            if let Some(RefOr::T(Schema::Object(whole))) = components.schemas.get(name) {
                let mut part = whole.clone();
                part.required.clear();
                *schema = RefOr::T(Schema::Object(part));
            }
        }
    }
}

/// Bodies of JSON show what they look like.
fn add_examples(document: &mut OpenApi) {
    let schemas = serde_json::to_value(&document.components).unwrap_or_default();
    let add = |content: &mut RefOr<Content>| add_example(content, &schemas["schemas"]);
    for operation in document.paths.paths.values_mut().flat_map(operations) {
        if let Some(RefOr::T(body)) = &mut operation.request_body {
            body.content.get_mut(JSON).into_iter().for_each(add);
        }
        for response in operation.responses.responses.values_mut() {
            if let RefOr::T(response) = response {
                response.content.get_mut(JSON).into_iter().for_each(add);
            }
        }
    }
}

fn add_example(content: &mut RefOr<Content>, schemas: &Value) {
    if let RefOr::T(content) = content
        && content.example.is_none()
    {
        let schema = serde_json::to_value(&content.schema).unwrap_or_default();
        content.example = Some(example::example_of(&schema, schemas));
    }
}

/// What a status means, for answers that need no more words; the document has to have some.
fn reason(status: &str) -> &'static str {
    let status = StatusCode::from_bytes(status.as_bytes()).ok();
    status.and_then(|status| status.canonical_reason()).unwrap_or("An answer")
}

/// Every operation of a path.
pub fn operations(path: &mut PathItem) -> impl Iterator<Item = &mut Operation> {
    [
        &mut path.get,
        &mut path.put,
        &mut path.post,
        &mut path.delete,
        &mut path.patch,
        &mut path.options,
        &mut path.head,
        &mut path.trace,
    ]
    .into_iter()
    .filter_map(Option::as_mut)
}

/// `/api/v1/openapi.json`, and `/docs` to read it. Both work without the internet.
pub fn pages(document: &OpenApi) -> Router {
    let text: Arc<str> = document.to_json().unwrap_or_default().into();
    let serve =
        move |known: IfNoneMatch| async move { known.answer_bytes(text.as_bytes().to_vec()) };
    let page = SwaggerUi::new("/docs").config(Config::new([DOCUMENT_PATH]).validator_url("none"));
    Router::new()
        .route(DOCUMENT_PATH, get(serve))
        .route("/api/v1/asyncapi.json", get(live::read_document))
        .route("/live", get(live::read_page))
        .route("/live.js", get(live::read_script))
        .merge(page)
        .route("/", get(|| async { Redirect::temporary("/docs/") }))
}

const DOCUMENT_PATH: &str = "/api/v1/openapi.json";
