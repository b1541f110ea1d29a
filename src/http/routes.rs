//! Routes, and what they say of themselves for the OpenAPI document. A route is there from the start; what it says is made
//! when somebody asks, for it takes time at the start, and memory for as long as the server runs.

use std::collections::BTreeMap;

use axum::routing::MethodRouter;
use axum::{Extension, Router};
use utoipa::openapi::path::PathItem;
use utoipa::openapi::{Components, OpenApi, OpenApiBuilder};
use utoipa_axum::router::UtoipaMethodRouter;

use crate::app::SharedApp;

/// Handlers of one path with what they are asked by: utoipa-axum's `routes!`, whose describing half waits.
macro_rules! routes {
    ($($first:ident)::+ $(, $($more:ident)::+)* $(,)?) => {{
        use utoipa_axum::PathItemExt as _;
        let path = utoipa_axum::routes!(@path [path()] of $($first)::+);
        let methods = axum::routing::MethodRouter::new();
        let methods = $crate::http::routes::add!(methods, $($first)::+);
        $(
            debug_assert_eq!(path, utoipa_axum::routes!(@path [path()] of $($more)::+), "handlers of one path");
            let methods = $crate::http::routes::add!(methods, $($more)::+);
        )*
        $crate::http::routes::Place::new(path, methods, || {
            utoipa_axum::routes!($($first)::+ $(, $($more)::+)*)
        })
    }};
}
macro_rules! add {
    ($methods:ident, $($handler:ident)::+) => {
        utoipa_axum::routes!(@path [methods()] of $($handler)::+)
            .iter()
            .fold($methods, |methods, method| methods.on(method.to_method_filter(), $($handler)::+))
    };
}
pub(crate) use {add, routes};

/// Makes what the handlers of one path say of themselves.
pub type Describe = fn() -> UtoipaMethodRouter<SharedApp>;

/// One path with its handlers.
#[derive(Clone, Debug)]
pub struct Place {
    path: String,
    methods: MethodRouter<SharedApp>,
    describe: Describe,
}

impl Place {
    pub(crate) const fn new(path: String, methods: MethodRouter<SharedApp>, describe: Describe) -> Self {
        Self { path, methods, describe }
    }

    /// Lets the handlers extract it.
    #[must_use]
    pub fn with(self, extension: impl Clone + Send + Sync + 'static) -> Self {
        Self { methods: self.methods.layer(Extension(extension)), ..self }
    }
}

/// Routes, and what they say of themselves.
#[derive(Clone, Debug, Default)]
pub struct Routes {
    router: Router<SharedApp>,
    described: Described,
}

/// What says what is at each path.
#[derive(Clone, Debug, Default)]
pub struct Described(pub(super) BTreeMap<String, Vec<Describe>>);

impl Routes {
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds a path with its handlers.
    #[must_use]
    pub fn routes(mut self, place: Place) -> Self {
        self.router = self.router.route(&place.path, place.methods);
        self.described.add(place.path, [place.describe]);
        self
    }

    /// Adds others, behind a prefix.
    #[must_use]
    pub fn nest(mut self, prefix: &str, routes: Self) -> Self {
        self.router = self.router.nest(prefix, routes.router);
        for (path, describe) in routes.described.0 {
            self.described.add(format!("{prefix}{path}"), describe);
        }
        self
    }

    /// Adds others.
    #[must_use]
    pub fn merge(mut self, routes: Self) -> Self {
        self.router = self.router.merge(routes.router);
        for (path, describe) in routes.described.0 {
            self.described.add(path, describe);
        }
        self
    }

    /// What answers, and what says of it what it is.
    pub fn into_parts(self) -> (Router<SharedApp>, Described) {
        (self.router, self.described)
    }

    /// What they say of themselves.
    #[must_use]
    pub fn into_openapi(self) -> OpenApi {
        self.described.into_openapi()
    }
}

impl Described {
    fn add(&mut self, path: String, describe: impl IntoIterator<Item = Describe>) {
        self.0.entry(path).or_default().extend(describe);
    }

    fn into_openapi(self) -> OpenApi {
        let mut document = OpenApiBuilder::new().build();
        let mut components = Components::new();
        for (path, describe) in self.0 {
            let mut here = PathItem::default();
            for (schemas, paths, _) in describe.iter().map(|describe| describe()) {
                paths.paths.into_values().for_each(|item| here.merge_operations(item));
                components.schemas.extend(schemas);
            }
            document.paths.paths.insert(path, here);
        }
        document.components = Some(components);
        document
    }
}
