//! Files: brought by one, had by others, and by nobody else.

use crate::support::{Installation, Kind, Person, in_both_modes, shared, until};
use app::model::{FileAddress, FileId, FileName};
use reqwest::{Method, Response, StatusCode};
use serde_json::{Value, json};
use server::{
    config::Mode,
    store::{NewFile, Store, postgres::PostgresStore, sqlite::SqliteStore},
};
use std::sync::Arc;

in_both_modes!(
    a_picture_that_is_uploaded_is_shown_in_the_room,
    who_may_not_read_a_room_finds_none_of_its_files,
    who_may_not_write_uploads_nothing,
    what_is_no_picture_is_never_opened_by_a_browser,
    where_a_picture_was_taken_is_not_kept,
    what_is_too_large_is_refused_before_and_while_it_comes,
    an_account_uploads_so_much_and_no_more,
    a_deleted_message_takes_its_files_with_it,
    a_plain_form_posts_a_text_with_a_file,
    a_file_that_nobody_names_goes_after_a_day,
);

/// A PNG of so many pixels, with a comment.
fn png(width: u32, height: u32) -> Vec<u8> {
    let chunk = |name: &[u8; 4], body: &[u8]| {
        [&u32::try_from(body.len()).unwrap().to_be_bytes()[..], name, body, b"sum!"].concat()
    };
    let head = [&width.to_be_bytes()[..], &height.to_be_bytes(), &[8, 2, 0, 0, 0]].concat();
    let begin = b"\x89PNG\r\n\x1a\n".to_vec();
    [begin, chunk(b"IHDR", &head), chunk(b"IDAT", b"data"), chunk(b"IEND", b"")].concat()
}

/// A JPEG whose Exif has a table for GPS, and says that it is to be turned.
fn jpeg_with_place() -> Vec<u8> {
    let mut tiff = b"Exif\0\0II*\0\x08\0\0\0\x02\0\x12\x01\x03\0\x01\0\0\0\x06\0\0\0".to_vec();
    tiff.extend_from_slice(b"\x25\x88\x04\0\x01\0\0\0\x26\0\0\0\0\0\0\0\x01\0\x01\0\x02\0\x02\0\0\0N\0\0\0 52.3702 N");
    let segment = |marker: u8, body: &[u8]| {
        [&[0xff, marker][..], &u16::try_from(body.len() + 2).unwrap().to_be_bytes(), body].concat()
    };
    [
        b"\xff\xd8".to_vec(),
        segment(0xe1, &tiff),
        segment(0xc0, &[8, 0, 30, 0, 40, 1, 1, 0x11, 0]),
        segment(0xda, &[1, 1, 0, 0, 63, 0]),
        b"data\xff\xd9".to_vec(),
    ]
    .concat()
}

async fn try_upload(who: &Person, room: &str, name: &str, content: Vec<u8>) -> (StatusCode, Value) {
    let name: String = name.bytes().map(|byte| format!("%{byte:02x}")).collect();
    let request = who.request(Method::POST, &format!("/rooms/{room}/files?name={name}"));
    let response = request.body(content).send().await.unwrap();
    let status = response.status();
    (status, response.json().await.unwrap())
}

async fn upload(who: &Person, room: &str, name: &str, content: Vec<u8>) -> Value {
    let (status, answer) = try_upload(who, room, name, content).await;
    assert_eq!(status, StatusCode::CREATED, "{answer}");
    answer
}

async fn get(who: &Person, url: &Value) -> Response {
    let request = who.http.get(format!("{}{}", who.base, url.as_str().unwrap()));
    let request = if let Some(token) = &who.token { request.bearer_auth(token) } else { request };
    request.send().await.unwrap()
}

async fn status(who: &Person, url: &Value) -> StatusCode {
    get(who, url).await.status()
}

/// The store follows the log: until it knows of a membership, or that one is over.
async fn until_status(who: &Person, url: &Value, expected: StatusCode) {
    until("the file is there or not", async || status(who, url).await == expected).await;
}

async fn a_picture_that_is_uploaded_is_shown_in_the_room(kind: Kind) {
    let base = shared(kind);
    let ada = Person::register(base, "ada").await;
    let room = ada.make_room("public").await;
    let content = png(4000, 3000);
    let file = upload(&ada, &room, "My phöto.png", content.clone()).await;
    let id = file["id"].as_str().unwrap();
    let expected = json!({
        "id": id, "url": format!("/files/{id}/4000x3000/My%20ph%C3%B6to.png"), "name": "My phöto.png",
        "media_type": "image/png", "bytes": content.len(), "width": 4000, "height": 3000,
        "markdown": format!("![My phöto.png](/files/{id}/4000x3000/My%20ph%C3%B6to.png)"),
    });
    assert_eq!(file, expected);

    let (_, at) = ada.post(&room, file["markdown"].as_str().unwrap()).await;
    ada.bodies(&room, at).await;
    let (_, view) = ada.get(&format!("/rooms/{room}")).await;
    let page = format!("{base}/rooms/{}?at_least={at}", view["slug"].as_str().unwrap());
    let page = ada.http.get(page).send().await.unwrap().text().await.unwrap();
    let img =
        format!("<img src=\"{}\" alt=\"My phöto.png\" width=\"480\" height=\"360\"", file["url"].as_str().unwrap());
    assert!(page.contains(&img), "{page}");

    // A visitor may read a public room.
    let visitor = Person::visitor(base);
    let shown = get(&visitor, &file["url"]).await;
    assert_eq!(shown.status(), StatusCode::OK);
    for (name, value) in [
        ("content-type", "image/png".to_owned()),
        ("content-length", content.len().to_string()),
        ("cache-control", "private, max-age=31536000, immutable".into()),
        ("x-content-type-options", "nosniff".into()),
        ("content-security-policy", "sandbox; default-src 'none'".into()),
        ("cross-origin-resource-policy", "same-origin".into()),
        ("etag", format!("\"{id}\"")),
        ("content-disposition", "inline; filename=\"My ph_to.png\"; filename*=UTF-8''My%20ph%C3%B6to.png".into()),
    ] {
        assert_eq!(shown.headers()[name], value, "{name}");
    }
    assert!(shown.bytes().await.unwrap() == content);
    let url = format!("{base}{}", file["url"].as_str().unwrap());
    let head = visitor.http.head(&url).send().await.unwrap();
    assert_eq!(
        (head.status(), &head.headers()["content-length"]),
        (StatusCode::OK, &content.len().to_string().parse().unwrap())
    );
    let again = visitor.http.get(&url).header("if-none-match", format!("W/\"x\", \"{id}\"")).send().await.unwrap();
    assert_eq!((again.status(), again.bytes().await.unwrap().len()), (StatusCode::NOT_MODIFIED, 0));

    // It is at no other address.
    for other in [
        format!("/files/{id}/photo.png"),
        format!("/files/{id}/1x1/My%20ph%C3%B6to.png"),
        format!("/files/{id}"),
        "/files/x/y".into(),
    ] {
        let answer = get(&ada, &json!(other)).await;
        assert_eq!(
            (answer.status(), &answer.headers()["cache-control"]),
            (StatusCode::NOT_FOUND, &"no-store".parse().unwrap())
        );
    }
}

async fn who_may_not_read_a_room_finds_none_of_its_files(kind: Kind) {
    let base = shared(kind);
    let (ada, lin, eve) =
        (Person::register(base, "ada").await, Person::register(base, "lin").await, Person::register(base, "eve").await);
    let visitor = Person::visitor(base);
    for visibility in ["members", "private"] {
        let room = ada.make_room(visibility).await;
        let add = format!("/rooms/{room}/members/{}", lin.username);
        assert_eq!(ada.call(Method::PUT, &add, None).await.0, StatusCode::OK);
        let url = upload(&ada, &room, "a.png", png(4, 3)).await["url"].clone();
        until_status(&lin, &url, StatusCode::OK).await;
        for other in [&eve, &visitor] {
            let answer = get(other, &url).await;
            assert_eq!(answer.status(), StatusCode::NOT_FOUND, "{visibility}");
            let nowhere = get(other, &json!("/files/01900000-0000-7000-8000-000000000009/4x3/a.png")).await;
            assert_eq!(answer.text().await.unwrap(), nowhere.text().await.unwrap(), "they cannot be told apart");
        }
        // With the cookie, as pages ask.
        let by_cookie = lin.http.get(format!("{base}{}", url.as_str().unwrap())).header("cookie", &lin.cookie);
        assert_eq!(by_cookie.send().await.unwrap().status(), StatusCode::OK);
        // Who is taken out has it no longer, and whoever had it asks again where a browser does not remember.
        assert_eq!(ada.call(Method::DELETE, &add, None).await.0, StatusCode::OK);
        until_status(&lin, &url, StatusCode::NOT_FOUND).await;
    }
}

async fn who_may_not_write_uploads_nothing(kind: Kind) {
    let base = shared(kind);
    let (ada, eve) = (Person::register(base, "ada").await, Person::register(base, "eve").await);
    let (public, private) = (ada.make_room("public").await, ada.make_room("private").await);
    for (who, room, expected) in [
        (&Person::visitor(base), &public, StatusCode::UNAUTHORIZED),
        (&eve, &public, StatusCode::FORBIDDEN),
        (&eve, &private, StatusCode::NOT_FOUND),
        (&eve, &"nowhere".to_owned(), StatusCode::NOT_FOUND),
    ] {
        assert_eq!(try_upload(who, room, "a.png", png(4, 3)).await.0, expected);
    }
    let from_elsewhere = ada.http.post(format!("{base}/api/v1/rooms/{public}/files?name=a"));
    let from_elsewhere = from_elsewhere.header("cookie", &ada.cookie).header("origin", "https://evil.example");
    assert_eq!(from_elsewhere.body("x").send().await.unwrap().status(), StatusCode::FORBIDDEN);
}

async fn what_is_no_picture_is_never_opened_by_a_browser(kind: Kind) {
    let base = shared(kind);
    let ada = Person::register(base, "ada").await;
    let room = ada.make_room("public").await;
    let svg = b"<svg xmlns='http://www.w3.org/2000/svg'><script>alert(1)</script></svg>".to_vec();
    for (name, content) in [
        ("a.svg", svg.clone()),
        ("picture.png", svg),
        ("page.html", b"<html><script>alert(1)</script>".to_vec()),
        ("report.pdf", b"%PDF-1.7".to_vec()),
        ("\"\r\nset-cookie: x.txt", vec![b'a'; 5_000]),
    ] {
        let file = upload(&ada, &room, name, content.clone()).await;
        assert_eq!((file["width"].is_null(), file["media_type"].as_str()), (true, Some("application/octet-stream")));
        assert!(file["markdown"].as_str().unwrap().starts_with('['), "a link: {file}");
        let answer =
            ada.http.get(format!("{base}{}", file["url"].as_str().unwrap())).header("accept-encoding", "gzip, br");
        let answer = answer.send().await.unwrap();
        assert_eq!(answer.headers()["content-type"], "application/octet-stream");
        assert!(answer.headers()["content-disposition"].to_str().unwrap().starts_with("attachment; "));
        assert_eq!(answer.headers()["content-length"], content.len().to_string(), "as long as it is");
        assert!(!answer.headers().contains_key("set-cookie"));
        assert!(answer.bytes().await.unwrap() == content);
    }
    for (content, reason) in [(png(10_000, 10_000), "50 megapixels"), (png(4, 3)[..20].to_vec(), "damaged")] {
        let (status, problem) = try_upload(&ada, &room, "a.png", content).await;
        assert_eq!(status, StatusCode::UNPROCESSABLE_ENTITY, "{problem}");
        assert!(problem["detail"].as_str().unwrap().contains(reason), "{problem}");
    }
}

async fn where_a_picture_was_taken_is_not_kept(kind: Kind) {
    let ada = Person::register(shared(kind), "ada").await;
    let room = ada.make_room("public").await;
    let content = jpeg_with_place();
    assert!(content.windows(7).any(|window| window == b"52.3702"));
    let file = upload(&ada, &room, "holiday.jpg", content).await;
    assert_eq!((file["width"].as_u64(), file["height"].as_u64()), (Some(30), Some(40)), "it is shown upright");
    let kept = get(&ada, &file["url"]).await.bytes().await.unwrap();
    assert!(
        !kept.windows(7).any(|window| window == b"52.3702") && !kept.windows(2).any(|window| window == b"\x25\x88")
    );
    assert!(kept.windows(6).any(|window| window == b"Exif\0\0"), "which way is up is");
}

async fn what_is_too_large_is_refused_before_and_while_it_comes(kind: Kind) {
    let base = shared(kind);
    let ada = Person::register(base, "ada").await;
    let room = ada.make_room("public").await;
    let most = 10 * 1024 * 1024;
    let file = upload(&ada, &room, "most.bin", vec![7; most]).await;
    let kept = get(&ada, &file["url"]).await.bytes().await.unwrap();
    assert!(kept.len() == most && kept.iter().all(|byte| *byte == 7));

    let (address, token) = (base.strip_prefix("http://").unwrap(), ada.token.clone().unwrap());
    // Refused by what it says, before any of it is sent; and one that does not say how long it is.
    for (header, expected) in [
        (format!("content-length: {}", most + 1), "HTTP/1.1 413"),
        ("transfer-encoding: chunked".into(), "HTTP/1.1 411"),
    ] {
        let head = format!(
            "POST /api/v1/rooms/{room}/files?name=a HTTP/1.1\r\nhost: {address}\r\nauthorization: Bearer {token}\r\n{header}\r\n\r\n"
        );
        let address = address.to_owned();
        let answer = tokio::task::spawn_blocking(move || {
            use std::io::{Read, Write};
            let mut connection = std::net::TcpStream::connect(address).unwrap();
            connection.set_read_timeout(Some(crate::support::PATIENCE)).unwrap();
            connection.write_all(head.as_bytes()).unwrap();
            let mut answer = [0; 12];
            connection.read_exact(&mut answer).unwrap();
            String::from_utf8_lossy(&answer).into_owned()
        });
        assert_eq!(answer.await.unwrap(), expected);
    }
    // Everything else is bounded as before.
    let long = json!({ "body": "x".repeat(200_000) });
    assert_eq!(
        ada.call(Method::POST, &format!("/rooms/{room}/messages"), Some(long)).await.0,
        StatusCode::PAYLOAD_TOO_LARGE
    );
}

async fn an_account_uploads_so_much_and_no_more(kind: Kind) {
    let installation = Installation::new(kind).await;
    let mut config = installation.config();
    config.messages_per_second = 100;
    let node = installation.start_with(config).await;
    let ada = Person::register(&node.base, "ada").await;
    let room = ada.make_room("public").await;
    let guest = Person::guest(&node.base).await;
    guest.join(&room).await;
    let content = vec![7; 9 * 1024 * 1024];
    for (who, times) in [(&guest, 2), (&ada, 11)] {
        for _ in 0..times {
            upload(who, &room, "a.bin", content.clone()).await;
        }
        let (status, problem) = try_upload(who, &room, "a.bin", content.clone()).await;
        assert_eq!((status, &problem["type"]), (StatusCode::TOO_MANY_REQUESTS, &json!("/problems/too_many_requests")));
        assert!(problem["detail"].as_str().unwrap().contains("wait"), "{problem}");
        upload(who, &room, "a.png", png(4, 3)).await;
    }
    node.server.shutdown().await;
}

async fn a_deleted_message_takes_its_files_with_it(kind: Kind) {
    let base = shared(kind);
    let (ada, lin) = (Person::register(base, "ada").await, Person::register(base, "lin").await);
    let room = ada.make_room("public").await;
    lin.join(&room).await;
    let of_ada = upload(&ada, &room, "a.png", png(4, 3)).await;
    let of_lin = upload(&lin, &room, "b.pdf", b"%PDF".to_vec()).await;
    let body = format!("{} {}", of_ada["markdown"].as_str().unwrap(), of_lin["markdown"].as_str().unwrap());
    let (id, at) = ada.post(&room, &body).await;
    ada.bodies(&room, at).await;
    assert_eq!(ada.call(Method::DELETE, &format!("/rooms/{room}/messages/{id}"), None).await.0, StatusCode::OK);
    until_status(&ada, &of_ada["url"], StatusCode::NOT_FOUND).await;
    assert_eq!(status(&ada, &of_lin["url"]).await, StatusCode::OK, "what others have uploaded is theirs");
}

async fn a_file_that_nobody_names_goes_after_a_day(kind: Kind) {
    const DAY_MS: i64 = 24 * 60 * 60 * 1000;
    let installation = Installation::new(kind).await;
    let node = installation.start().await;
    let ada = Person::register(&node.base, "ada").await;
    let room = ada.make_room("public").await;
    let uploader = ada.get("/me").await.1["user"]["id"].as_str().unwrap().parse().unwrap();
    // As it was uploaded long ago.
    let store: Arc<dyn Store> = match &installation.mode {
        Mode::Embedded { data_dir } => Arc::new(SqliteStore::open(data_dir).await.unwrap()),
        Mode::Cluster { database, .. } => Arc::new(PostgresStore::connect(database).await.unwrap()),
    };
    let mut old = Vec::new();
    for age_ms in [DAY_MS - 60_000, DAY_MS + 60_000, 3 * DAY_MS] {
        let address = FileAddress { id: FileId::new(), size: None, name: FileName::nearest("a.bin") };
        old.push(json!(address.to_string()));
        let created_at = server::time::now() - age_ms;
        let media_type = "application/octet-stream".to_owned();
        let room = room.parse().unwrap();
        store
            .save_file(&NewFile { room, uploader, address, media_type, created_at, content: b"x".to_vec() })
            .await
            .unwrap();
    }
    let (_, at) = ada.post(&room, &format!("[late]({})", old[2].as_str().unwrap())).await;
    ada.bodies(&room, at).await;
    node.server.shutdown().await;
    let node = installation.start().await;
    let ada = ada.at(&node.base);
    until_status(&ada, &old[1], StatusCode::NOT_FOUND).await;
    assert_eq!(status(&ada, &old[0]).await, StatusCode::OK, "its day is not over");
    assert_eq!(status(&ada, &old[2]).await, StatusCode::OK, "it is named");
    node.server.shutdown().await;
}

/// Sends the form as a browser without a script does; where it is sent on to.
async fn send_form(who: &Person, slug: &str, fields: &[(&str, &str)], file: Option<(&str, &[u8])>) -> String {
    let mut body = Vec::new();
    for (name, value) in fields {
        let field = format!("--edge\r\ncontent-disposition: form-data; name=\"{name}\"\r\n\r\n{value}\r\n");
        body.extend_from_slice(field.as_bytes());
    }
    let (name, content) = file.unwrap_or_default();
    let head = format!(
        "--edge\r\ncontent-disposition: form-data; name=\"file\"; filename=\"{name}\"\r\ncontent-type: image/png\r\n\r\n"
    );
    body.extend_from_slice(&[head.as_bytes(), content, b"\r\n--edge--\r\n"].concat());
    let http = reqwest::Client::builder().redirect(reqwest::redirect::Policy::none()).build().unwrap();
    let request = http.post(format!("{}/rooms/{slug}/files", who.base)).header("cookie", &who.cookie);
    let request = request.header("origin", &who.base).header("content-type", "multipart/form-data; boundary=edge");
    let answer = request.body(body).send().await.unwrap();
    assert_eq!(answer.status(), StatusCode::SEE_OTHER);
    answer.headers()["location"].to_str().unwrap().to_owned()
}

async fn a_plain_form_posts_a_text_with_a_file(kind: Kind) {
    let base = shared(kind);
    let (ada, eve) = (Person::register(base, "ada").await, Person::register(base, "eve").await);
    let room = ada.make_room("public").await;
    let slug = ada.get(&format!("/rooms/{room}")).await.1["slug"].as_str().unwrap().to_owned();
    let id = app::model::MessageId::new().to_string();
    let fields = [("room", slug.as_str()), ("id", id.as_str()), ("body", "look,\r\nhere:")];
    let picture = png(4, 3);
    let to = send_form(&ada, &slug, &fields, Some(("a b.png", &picture))).await;
    let at = to.split_once("at_least=").unwrap().1.strip_suffix("#end").unwrap();
    let bodies = ada.bodies(&room, at.parse().unwrap()).await;
    let last = bodies.last().unwrap();
    assert!(last.starts_with("look,\nhere:\n\n![a b.png](/files/"), "{last}");
    let url = json!(last.rsplit_once("](").unwrap().1.strip_suffix(')').unwrap());
    assert!(get(&ada, &url).await.bytes().await.unwrap() == picture);

    // Without a file it is a message like any other; what cannot be taken comes back with the text.
    assert!(send_form(&ada, &slug, &[("body", "only this")], None).await.ends_with("#end"));
    let to = send_form(&ada, &slug, &[("body", "my text")], Some(("a.png", &picture[..20]))).await;
    assert_eq!(to, format!("/rooms/{slug}?error=invalid&draft=my%20text#compose"));
    let to = send_form(&eve, &slug, &[("body", "x")], Some(("a.png", &picture))).await;
    assert!(to.starts_with(&format!("/rooms/{slug}?error=forbidden")), "{to}");
    let to = send_form(&ada, &slug, &[("body", "x")], Some(("a.bin", &vec![0; 11 * 1024 * 1024]))).await;
    assert!(to.starts_with(&format!("/rooms/{slug}?error=file_too_large")), "{to}");
    let gone = Person { cookie: "partyline=x.y.z".into(), ..ada.clone() };
    assert_eq!(send_form(&gone, &slug, &[], None).await, format!("/login?next=%2Frooms%2F{slug}"));
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_uploaded_at_one_node_is_read_at_another_and_outlives_both() {
    let installation = Installation::new(Kind::Cluster).await;
    let (a, b) = tokio::join!(installation.start(), installation.start());
    let ada = Person::register(&a.base, "ada").await;
    let room = ada.make_room("private").await;
    let content: Vec<u8> = (0..1_000_000_u32).map(|n| n.to_le_bytes()[0]).collect();
    let file = upload(&ada, &room, "a.bin", content.clone()).await;
    until_status(&ada.at(&b.base), &file["url"], StatusCode::OK).await;
    assert!(get(&ada.at(&b.base), &file["url"]).await.bytes().await.unwrap() == content);
    tokio::join!(a.server.shutdown(), b.server.shutdown());
    let c = installation.start().await;
    assert!(get(&ada.at(&c.base), &file["url"]).await.bytes().await.unwrap() == content);
    c.server.shutdown().await;
}
