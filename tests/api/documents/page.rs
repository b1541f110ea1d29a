//! What is served of the documents, and where.

use vestibule::tenants::Family;

use super::{by_operator, document, start_with_docs};
use crate::support::app::prefix;
use crate::support::calls::Call;

#[tokio::test]
async fn R125_the_documentation_is_public_only_where_it_is_wanted_and_always_the_operators() {
    let paths = ["/openapi.json", "/docs/index.html", "/docs", "/docs/", "/"];
    let served = [200, 200, 308, 308, 307];
    for public_docs in [false, true] {
        let app = start_with_docs(public_docs).await;
        for (path, status) in paths.into_iter().zip(served) {
            app.call(Call::get(path)).await.expect(if public_docs { status } else { 404 });
        }
        app.call(Call::get("/metrics")).await.expect(404);
        let app = by_operator(app);
        for (path, status) in paths.into_iter().zip(served) {
            app.call(Call::get(path)).await.expect(status);
        }
        app.call(Call::get("/metrics")).await.expect(200);
        app.call(Call::get("/healthz")).await.expect(200);
        app.call(Call::get("/readyz")).await.expect(200);
        // Customers' calls are not the operator's.
        app.call(Call::get("/t/acme/.well-known/jwks.json")).await.expect(404);
        let login = prefix(Family::Individual, "x");
        app.call(Call::new("POST", format!("{login}/users/x/sessions"))).await.expect(404);
    }
}

#[tokio::test]
async fn the_document_that_is_served_is_the_one_that_is_committed() {
    let app = start_with_docs(true).await;
    let public = app.call(Call::get("/openapi.json")).await.expect(200);
    assert_eq!(public.json, document());
    let app = by_operator(app);
    assert_eq!(app.call(Call::get("/openapi.json")).await.expect(200).json, document());
}

/// The values of `src` and `href` in a page.
fn references(page: &str) -> Vec<String> {
    let mut found = Vec::new();
    for attribute in ["src=", "href="] {
        for (at, _) in page.match_indices(attribute) {
            let rest = &page[at + attribute.len()..];
            let quote = rest.chars().next().unwrap();
            assert!(['"', '\''].contains(&quote), "an attribute without quotes: {}", &rest[..30]);
            found.push(rest[1..].split(quote).next().unwrap().to_owned());
        }
    }
    found
}

#[tokio::test]
async fn the_documentation_page_loads_nothing_but_what_the_binary_holds() {
    let app = start_with_docs(true).await;
    let page = app.call(Call::get("/docs/index.html")).await.expect(200);
    let policy = page.headers["content-security-policy"].to_str().unwrap();
    assert!(policy.contains("default-src 'none'") && policy.contains("script-src 'self';"), "{policy}");
    assert!(!policy.contains("http") && !policy.contains('*') && !policy.contains("unsafe-eval"), "{policy}");
    // A script in the page itself would not run under that policy.
    assert!(!page.text.replace(' ', "").contains("<script>"), "{}", page.text);
    let references = references(&page.text);
    assert!(references.len() >= 4, "{references:?}");
    let mut scripts = String::new();
    for reference in references {
        assert!(!reference.contains("://") && !reference.starts_with("//"), "{reference}");
        let path = format!("/docs/{}", reference.trim_start_matches("./"));
        let asset = app.call(Call::get(&path)).await.expect(200);
        let kind = asset.headers["content-type"].to_str().unwrap();
        match path.rsplit('.').next().unwrap() {
            "js" => {
                assert!(kind.contains("javascript"), "{path}: {kind}");
                scripts.push_str(if asset.text.len() < 20_000 { &asset.text } else { "" });
            }
            "css" => {
                assert_eq!(kind, "text/css", "{path}");
                for outside in ["url(http", "url(//", "@import"] {
                    assert!(!asset.text.contains(outside), "{path}: {outside}");
                }
            }
            "png" => assert_eq!(kind, "image/png", "{path}"),
            other => panic!("an asset of another kind: {other}"),
        }
        assert!(!asset.text.is_empty());
    }
    // Swagger UI would ask its makers whether the document is valid.
    assert!(scripts.contains("/openapi.json"), "{scripts}");
    let settings: String = scripts.split_whitespace().collect();
    assert!(
        settings.contains("\"validatorUrl\":\"none\"") || settings.contains("\"validatorUrl\":null"),
        "{scripts}"
    );
    assert!(!settings.contains("http://") && !settings.contains("https://"), "{scripts}");
    // An address that names an operation opens it.
    assert!(settings.contains("\"deepLinking\":true"), "{scripts}");
    for path in ["/docs", "/docs/"] {
        let answer = app.call(Call::get(path)).await.expect(308);
        assert_eq!(answer.headers["location"], "/docs/index.html");
    }
    // Not for ever: what stands at the root is the deployment's to change.
    assert_eq!(app.call(Call::get("/")).await.expect(307).headers["location"], "/docs");
}
