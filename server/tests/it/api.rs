//! The API as a whole: its description, its headers, what operators see.

use crate::support::{Kind, Person, in_both_modes, shared, until};
use reqwest::{Method, StatusCode};
use serde_json::Value;

in_both_modes!(
    every_described_route_is_there_and_asks_who_it_is,
    problems_pages_and_files_carry_their_headers,
    operators_see_health_and_metrics,
);

/// Writes need a credential on every route, but where one is made.
async fn every_described_route_is_there_and_asks_who_it_is(kind: Kind) {
    let visitor = Person::visitor(shared(kind));
    let (_, description) = visitor.get("/openapi.json").await;
    let open = ["/accounts", "/guests", "/sessions", "/sessions/refresh"];
    // Just after the start the greeting is on its way to the store.
    let greeting = async || visitor.get("/rooms/welcome/messages").await.1["messages"][0]["id"].clone();
    until("the greeting is stored", async || greeting().await.is_string()).await;
    let message = greeting().await;
    let message = message.as_str().unwrap();
    let mut routes = 0;
    for (path, operations) in description["paths"].as_object().unwrap() {
        for method in operations.as_object().unwrap().keys() {
            routes += 1;
            let filled = path
                .replace("{room}", "welcome")
                .replace("{message}", message)
                .replace("{person}", "me")
                .replace("{invite}", "01900000-0000-7000-8000-000000000002")
                .replace("{emoji}", "👍");
            let method: Method = method.to_uppercase().parse().unwrap();
            let request = visitor.request(method.clone(), &filled).header("content-type", "application/json");
            let status = request.body("null").send().await.unwrap().status();
            assert!(!matches!(status.as_u16(), 404 | 405 | 500), "{method} {path}: {status}");
            if method != Method::GET && !(method == Method::POST && open.contains(&path.as_str())) {
                assert_eq!(status, StatusCode::UNAUTHORIZED, "{method} {path}");
            }
        }
    }
    assert_eq!(routes, 48);
    let (status, problem) = visitor.get("/nowhere").await;
    assert_eq!((status, problem["type"].as_str()), (StatusCode::NOT_FOUND, Some("/problems/not_found")));
}

async fn problems_pages_and_files_carry_their_headers(kind: Kind) {
    let base = shared(kind);
    let http = reqwest::Client::new();
    let problem = http.get(format!("{base}/api/v1/me")).send().await.unwrap();
    assert_eq!(problem.headers()["content-type"], "application/problem+json");
    assert_eq!(problem.headers()["cache-control"], "no-store");
    assert_eq!(problem.headers()["x-content-type-options"], "nosniff");
    // Just after the start the greeting is on its way to the store.
    let visitor = Person::visitor(base);
    until("the greeting is stored", async || visitor.get("/rooms/welcome/messages").await.1["messages"][0].is_object())
        .await;
    let page = http.get(format!("{base}/rooms/welcome")).send().await.unwrap();
    assert_eq!(page.status(), StatusCode::OK);
    let policy = page.headers()["content-security-policy"].to_str().unwrap().to_owned();
    assert!(policy.contains("default-src 'none'") && policy.contains("'nonce-"), "{policy}");
    assert!(!policy.contains("unsafe-inline"), "{policy}");
    assert!(page.headers()["cache-control"].to_str().unwrap().contains("no-store"));
    let html = page.text().await.unwrap();
    assert!(html.contains("Welcome to Partyline"), "the history is in the first HTML");
    let nowhere = http.get(format!("{base}/rooms/no-such-room")).send().await.unwrap();
    assert_eq!(nowhere.status(), StatusCode::NOT_FOUND);
    for unreadable in ["%00", "a%00b", "%ff"] {
        let answer = http.get(format!("{base}/api/v1/rooms/{unreadable}")).send().await.unwrap();
        assert_eq!(answer.status(), StatusCode::NOT_FOUND, "{unreadable}");
        assert_eq!(answer.headers()["content-type"], "application/problem+json");
    }
    let disguised = http.get(format!("{base}/rooms/welcome/m/x.css")).send().await.unwrap();
    assert!(disguised.headers()["cache-control"].to_str().unwrap().contains("no-store"));
    let stale = http.get(format!("{base}/")).header("cookie", "partyline=x.y.z").send().await.unwrap();
    assert!(stale.headers()["set-cookie"].to_str().unwrap().contains("Max-Age=0"), "a dead cookie is taken away");
}

async fn operators_see_health_and_metrics(kind: Kind) {
    let base = shared(kind);
    assert_eq!(reqwest::get(format!("{base}/livez")).await.unwrap().status(), StatusCode::OK);
    let ready: Value = reqwest::get(format!("{base}/readyz")).await.unwrap().json().await.unwrap();
    assert_eq!(ready["ready"], true);
    assert_eq!(ready["parts"]["persist"]["state"], "running");
    assert_eq!(ready["parts"]["relay"]["state"], "running");
    let ada = Person::register(base, "ada").await;
    ada.post("welcome", "counted").await;
    let metrics = reqwest::get(format!("{base}/metrics")).await.unwrap().text().await.unwrap();
    for name in ["partyline_appends_total", "partyline_part_running", "partyline_http_seconds"] {
        assert!(metrics.contains(name), "{name}");
    }
    for i in 0..20 {
        let method: Method = format!("MADEUP{i}").parse().unwrap();
        reqwest::Client::new().request(method, format!("{base}/livez")).send().await.unwrap();
    }
    let metrics = metrics + &reqwest::get(format!("{base}/metrics")).await.unwrap().text().await.unwrap();
    assert!(!metrics.contains("MADEUP"), "a client cannot make series");
    assert!(!metrics.contains(&ada.username) && !metrics.contains("welcome"), "no person and no room in a label");
}
