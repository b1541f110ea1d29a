//! The OpenAPI document: what the handlers say of themselves, and what is the same for all of them.

use std::collections::BTreeSet;

use serde_json::{Value, json};
use utoipa::openapi::path::{Operation, Parameter, ParameterBuilder, ParameterIn, PathItem};
use utoipa::openapi::security::{HttpAuthScheme, HttpBuilder, SecurityScheme};
use utoipa::openapi::{
    Components, ContentBuilder, Info, License, ObjectBuilder, OpenApi, Ref, RefOr, Required, ResponseBuilder,
    Schema, Server, Tag, Type,
};

use crate::error::{Error, example};
use crate::http::bare;
use crate::http::paths::{family_prefix, owner_name};
use crate::ids::NIL;
use crate::tenants::Family;

use super::{bare_errors, examples};

const DESCRIPTION: &str = "Vestibule keeps a tenant's customer sessions: who is logged in, on which device, until \
    when and why it ended. The wire format is that of the FinHub v2.1 sessions API.\n\nEvery answer comes in the \
    envelope `{ \"code\", \"data\", \"message\" }`, but under `/oauth2/` and at the issuer, where the RFCs have formats of their \
    own; every other error has `data.requestId` and a \
    `data.errorType` out of one list: the enum of that property in the schema `Error`. Each operation has an example of \
    every error that it may answer.";

const OPERATORS: &str = "What operators call, on the operator's listener: tenants, their keys, operators. The command \
    line does the same on the database itself, also when no server runs.\n\nEnvelope and errors are those of the API \
    for tenants.";

/// Which errors any call may answer, by status.
const ALWAYS: [u16; 5] = [400, 404, 405, 500, 503];

/// Whom a document is for: each listener has its own routes.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Audience {
    /// Customers' apps, and tenants' staff and backends.
    Tenants,
    /// Who runs Vestibule.
    Operators,
}

/// Finishes the document that the routers collected.
#[must_use]
pub fn finish(mut document: OpenApi, audience: Audience) -> OpenApi {
    let (title, description) = match audience {
        Audience::Tenants => ("Vestibule", DESCRIPTION),
        Audience::Operators => ("Vestibule for operators", OPERATORS),
    };
    let mut info = Info::new(title, env!("CARGO_PKG_VERSION"));
    info.description = Some(description.to_owned());
    let mut license = License::new("Apache-2.0");
    license.identifier = Some("Apache-2.0".to_owned());
    info.license = Some(license);
    document.info = info;
    document.servers = Some(vec![Server::new("/")]);
    let components = document.components.get_or_insert_with(Components::new);
    add_security_schemes(components, audience);
    components.schemas.insert("Error".to_owned(), error_schema());
    if document.paths.paths.keys().any(|path| bare::is_spoken_at(path)) {
        components.schemas.insert(bare_errors::SCHEMA.to_owned(), bare_errors::schema());
    }
    name_the_data(components);
    for (path, item) in &mut document.paths.paths {
        let family = Family::ALL.into_iter().find(|family| path.starts_with(family_prefix(*family)));
        for operation in operations(item) {
            if let Some(family) = family {
                place_in_family(operation, family, path);
            } else if asks_for(operation, "accessToken") || asks_for(operation, "backendKey") {
                let header = header(
                    "X-Tenant-ID",
                    false,
                    "The tenant's slug or UUID; required beside an access token.",
                    "tenant-demo-001",
                );
                operation.parameters.get_or_insert_default().push(header.into());
            }
            if bare::is_spoken_at(path) {
                bare_errors::add(operation);
            } else {
                add_errors(operation);
            }
            examples::add(operation, family, path);
            // What asks for no token says so, for readers that would take silence for an oversight.
            operation.security.get_or_insert_default();
        }
    }
    document.tags = Some(tags(&document));
    document
}

fn add_security_schemes(components: &mut Components, audience: Audience) {
    let http = |scheme: HttpAuthScheme, description: &str| {
        HttpBuilder::new().scheme(scheme).description(Some(description))
    };
    let mut add = |name: &str, scheme: HttpBuilder| {
        components.add_security_scheme(name, SecurityScheme::Http(scheme.build()));
    };
    match audience {
        Audience::Tenants => {
            let token = "A user's access token, or that of staff with a role.";
            add("accessToken", http(HttpAuthScheme::Bearer, token).bearer_format("JWT"));
            add(
                "backendKey",
                http(HttpAuthScheme::Basic, "tenantKey and tenantSecret of a key of purpose `backend`."),
            );
        }
        Audience::Operators => {
            add("operatorToken", http(HttpAuthScheme::Bearer, "An operator's token: `vop1.…`."));
        }
    }
}

/// Whether an operation takes this kind of credential.
fn asks_for(operation: &Operation, scheme: &str) -> bool {
    let requirements = serde_json::to_value(&operation.security).unwrap_or_default();
    requirements.as_array().is_some_and(|all| all.iter().any(|one| one.get(scheme).is_some()))
}

/// Lets each `Success_X` refer to `X` for its data, which utoipa copies into it: clients that are made from the
/// document get one type with its name.
fn name_the_data(components: &mut Components) {
    let names: Vec<String> = components.schemas.keys().cloned().collect();
    for name in names {
        if let Some(RefOr::T(Schema::Object(success))) =
            components.schemas.get_mut(&format!("Success_{name}"))
        {
            success.properties.insert("data".to_owned(), Ref::from_schema_name(name).into());
        }
    }
}

/// The tags that the document's operations have, described.
fn tags(document: &OpenApi) -> Vec<Tag> {
    let used: BTreeSet<&String> = document
        .paths
        .paths
        .values()
        .flat_map(|item| [&item.get, &item.put, &item.post, &item.patch, &item.delete])
        .flatten()
        .flat_map(|operation| operation.tags.iter().flatten())
        .collect();
    let describe = |name: &str, description: &str| {
        let mut tag = Tag::new(name);
        tag.description = Some(description.to_owned());
        tag
    };
    let all = [
        describe("Individual customers", "Sessions of individuals' users."),
        describe("Organizations", "Sessions of business customers' users."),
        describe("Staff", "Sessions of the tenant's own users."),
        describe("Issuer", "What a verifier of access tokens fetches."),
        describe(
            "Tokens",
            "Introspection and revocation for the tenant's backends, in the RFCs' own formats.",
        ),
        describe("Registration", "New customers with their first user."),
        describe("Customers", "Individuals and organizations, for the tenant's backend and staff."),
        describe("Users", "Who logs in for a customer, and the tenant's staff; for its backend and staff."),
        describe(
            "Sessions",
            "Who is logged in, for the tenant's backend and staff: found, looked at, ended.",
        ),
        describe(
            "Devices",
            "Where users have logged in from, for themselves and for the tenant's backend and staff.",
        ),
        describe("Credentials", "Passwords: changed, set, reset."),
        describe("Events", "What happened in the tenant, for its backend."),
        describe("Tenants", "The fintechs whose customers log in here, and their settings."),
        describe("Tenant keys", "What a tenant's apps and backends show."),
        describe("Signing keys", "What a tenant's access tokens are signed with."),
        describe("Operators", "Who runs Vestibule, each by a token."),
        describe("Health", "For load balancers and orchestrators."),
    ];
    all.into_iter().filter(|tag| used.contains(&tag.name)).collect()
}

fn operations(item: &mut PathItem) -> impl Iterator<Item = &mut Operation> {
    [&mut item.get, &mut item.put, &mut item.post, &mut item.patch, &mut item.delete]
        .into_iter()
        .filter_map(Option::as_mut)
}

/// A family's operation: its own id and tag, the path's ids, the headers of the call.
fn place_in_family(operation: &mut Operation, family: Family, path: &str) {
    let (suffix, tag) = match family {
        Family::Individual => ("Individual", "Individual customers"),
        Family::Organization => ("Organization", "Organizations"),
        Family::Admin => ("Staff", "Staff"),
    };
    let login = is_login(operation);
    if let Some(id) = &mut operation.operation_id {
        id.push_str(suffix);
    }
    if path.contains("/sessions") {
        operation.tags = Some(vec![tag.to_owned()]);
    }
    let own = operation.parameters.take().unwrap_or_default();
    let mut parameters = vec![
        path_id(
            owner_name(family),
            "The customer's id; the nil UUID means whoever the username or token says.",
            NIL,
        ),
        path_id("userId", "The user's id; the nil UUID means whoever the username or token says.", NIL),
    ];
    if path.contains("{sessionId}") {
        parameters.push(path_id("sessionId", "The session's id, from its login.", examples::SESSION));
    }
    if path.contains("{device}") {
        parameters.push(path_id("device", "The device's `id`, from the list.", examples::DEVICE));
    }
    let all = login && family != Family::Admin;
    parameters.push(header("X-Tenant-ID", true, "The tenant's slug or UUID.", "tenant-demo-001"));
    parameters.push(header("X-Forwarded-For", all, "The end user's IP address: recorded.", "127.0.0.1"));
    parameters.push(header("X-Forwarded-From", all, "The name of the calling application.", "client-app"));
    // An alias may stand in for these two, so a document cannot require either.
    parameters.push(header(
        "platform",
        false,
        "Required on a login of a customer: web, mobile, ios, android, …; alias `sec-ch-ua-platform`.",
        "mobile",
    ));
    parameters.push(header(
        "deviceId",
        false,
        "Required on a login of a customer, and on a refresh where the login named one: the app's id for this device; \
         aliases `X-Device-Id`, `device-id`.",
        "device-demo-001",
    ));
    if login {
        parameters.push(header(
            "X-Device-Proof",
            false,
            "Any earlier refresh token of the user's on this device, also of a session that has ended: its failures are \
             counted apart, so that no stranger's lock the device out. What is none is as if it were not there.",
            "vrt1.ZXhhbXBsZQ",
        ));
    }
    // What the handler says of a query comes last; its ids and headers are those above.
    let is_query =
        |own: &RefOr<Parameter>| matches!(own, RefOr::T(own) if own.parameter_in == ParameterIn::Query);
    let queries = own.into_iter().filter(is_query);
    operation.parameters = Some(parameters.into_iter().map(Into::into).chain(queries).collect());
    if let Some(RefOr::T(body)) = &mut operation.request_body {
        body.required = Some(Required::True);
    }
}

fn path_id(name: &str, description: &str, example: &str) -> Parameter {
    ParameterBuilder::new()
        .name(name)
        .parameter_in(ParameterIn::Path)
        .required(Required::True)
        .description(Some(description))
        .schema(Some(
            ObjectBuilder::new()
                .schema_type(Type::String)
                .min_length(Some(1))
                .max_length(Some(64))
                .pattern(Some("^[A-Za-z0-9_-]+$")),
        ))
        .example(Some(json!(example)))
        .build()
}

fn header(name: &str, required: bool, description: &str, example: &str) -> Parameter {
    ParameterBuilder::new()
        .name(name)
        .parameter_in(ParameterIn::Header)
        .required(if required { Required::True } else { Required::False })
        .description(Some(description))
        .schema(Some(ObjectBuilder::new().schema_type(Type::String).max_length(Some(256))))
        .example(Some(json!(example)))
        .build()
}

/// Whether it is the call that opens a session.
fn is_login(operation: &Operation) -> bool {
    operation.operation_id.as_ref().is_some_and(|id| id.starts_with("startSession"))
}

/// The statuses of `docs/errors.md`, with an example of every error that has one of them. What only some calls answer
/// (409; a password's 401 and 403) their handlers name by its status.
fn add_errors(operation: &mut Operation) {
    let named = |status: &str| operation.responses.responses.contains_key(status);
    let login = is_login(operation);
    let password = login || named("401");
    let refresh = operation.operation_id.as_ref().is_some_and(|id| id.starts_with("refreshSession"));
    let body = operation.request_body.is_some();
    let (token, backend) = (asks_for(operation, "accessToken"), asks_for(operation, "backendKey"));
    let operator = asks_for(operation, "operatorToken");
    let conflict = named("409");
    let tenant = login || refresh || token || backend || named("403");
    let applies = |error: &Error| match error {
        Error::Authentication { .. } | Error::Locked { .. } => password,
        Error::Token(_) => token || operator,
        Error::SessionEnded { .. } => token || refresh,
        Error::RefreshToken => refresh,
        Error::SessionLimit { .. } => login,
        Error::BackendKey => backend,
        Error::Tenant(_) => tenant,
        Error::Forbidden { .. } => token && backend,
        Error::Conflict(_) => conflict,
        Error::TooManyRequests(_) => tenant || operator,
        Error::Timeout | Error::TooLarge { .. } | Error::MediaType => body,
        error => ALWAYS.contains(&error.parts().0),
    };
    let mut by_status: std::collections::BTreeMap<u16, Vec<(Error, &str)>> =
        std::collections::BTreeMap::new();
    for (error, meaning) in Error::catalogue().into_iter().filter(|(error, _)| applies(error)) {
        by_status.entry(error.parts().0).or_default().push((error, meaning));
    }
    for (status, errors) in by_status {
        let description = errors.iter().map(|(_, meaning)| *meaning).collect::<Vec<_>>().join(" ");
        let examples = errors.iter().map(|(error, _)| {
            let mut shown = utoipa::openapi::example::ExampleBuilder::new();
            shown = shown.summary(error.to_string()).value(Some(example(error)));
            (name_of(error), RefOr::T(shown.build()))
        });
        let content = ContentBuilder::new()
            .schema(Some(Ref::from_schema_name("Error")))
            .examples_from_iter(examples)
            .build();
        let response = ResponseBuilder::new().description(description).content("application/json", content);
        operation.responses.responses.insert(status.to_string(), response.build().into());
    }
}

fn name_of(error: &Error) -> String {
    let kind = error.parts().1;
    match error {
        Error::Locked { .. } => format!("{kind}_locked"),
        Error::Token(crate::error::TokenProblem::Missing) => format!("{kind}_missing"),
        _ => kind.to_owned(),
    }
}

/// The envelope of every error. What else `data` holds depends on the errorType.
fn error_schema() -> RefOr<utoipa::openapi::Schema> {
    let mut types: Vec<Value> = Error::catalogue().iter().map(|(error, _)| json!(error.parts().1)).collect();
    types.dedup();
    let string = || ObjectBuilder::new().schema_type(Type::String);
    let nullable = |kind: Type| utoipa::openapi::schema::SchemaType::from_iter([kind, Type::Null]);
    let data = ObjectBuilder::new()
        .property("success", ObjectBuilder::new().schema_type(Type::Boolean))
        .property("errorType", string().enum_values(Some(types)))
        .property("requestId", string())
        .property("message", string())
        .property("attempts", ObjectBuilder::new().schema_type(nullable(Type::Integer)))
        .property("maxAttempts", ObjectBuilder::new().schema_type(Type::Integer))
        .property("lockoutTime", ObjectBuilder::new().schema_type(nullable(Type::String)))
        .property("lockoutDuration", string())
        .property("endedAt", string())
        .property("endReason", string())
        .property("errors", utoipa::openapi::ArrayBuilder::new().items(field_error_schema()))
        .property("error", string())
        .property("details", string())
        .property("field", ObjectBuilder::new().schema_type(nullable(Type::String)))
        .property("suggestions", utoipa::openapi::ArrayBuilder::new().items(string()))
        .required("success")
        .required("errorType")
        .required("requestId");
    ObjectBuilder::new()
        .description(Some("Every refusal, whatever layer it comes from."))
        .property(
            "code",
            ObjectBuilder::new().schema_type(Type::Integer).description(Some("The HTTP status.")),
        )
        .property("message", string())
        .property("data", data)
        .required("code")
        .required("message")
        .required("data")
        .into()
}

fn field_error_schema() -> ObjectBuilder {
    let string = || ObjectBuilder::new().schema_type(Type::String);
    ObjectBuilder::new()
        .property("field", string())
        .property("message", string())
        .required("field")
        .required("message")
}
