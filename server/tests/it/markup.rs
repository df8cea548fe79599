//! What people write, as the pages show it.

use crate::support::{Kind, Person, in_both_modes, shared};
use reqwest::StatusCode;

in_both_modes!(
    a_page_shows_what_the_markup_of_a_message_says,
    what_would_run_in_a_page_is_text_in_it,
    a_message_as_long_and_as_nested_as_can_be_is_shown,
);

/// The room's page, with everything posted so far, as this person gets it.
async fn page(who: &Person, room: &str, last: app::model::Position) -> String {
    let (_, view) = who.get(&format!("/rooms/{room}")).await;
    let url = format!("{}/rooms/{}?at_least={last}", who.base, view["slug"].as_str().unwrap());
    who.bodies(room, last).await;
    let answer = who.http.get(url).header("cookie", &who.cookie).send().await.unwrap();
    assert_eq!(answer.status(), StatusCode::OK);
    answer.text().await.unwrap()
}

async fn a_page_shows_what_the_markup_of_a_message_says(kind: Kind) {
    let (ada, lin) = (Person::register(shared(kind), "ada").await, Person::register(shared(kind), "lin").await);
    let room = ada.make_room("public").await;
    lin.join(&room).await;
    let names = format!("**@{}** and @{} but not @somebody-else in #garden", ada.username, lin.username);
    ada.post(&room, &names).await;
    let (_, last) = ada.post(&room, "one\ntwo\n\n- [x] three\n\n|a|\n|-|\n|`b`|").await;
    let page = page(&lin, &room, last).await;
    for expected in [
        format!("<strong><span class=\"mention\">@{}</span></strong>", ada.username),
        format!("<span class=\"mention own\">@{}</span> but not @somebody-else in ", lin.username),
        "<a href=\"/rooms/garden\">#garden</a>".to_owned(),
        "<p>one<br>two</p>".to_owned(),
        "<td><code>b</code></td>".to_owned(),
    ] {
        assert!(page.contains(&expected), "{expected}");
    }
}

async fn what_would_run_in_a_page_is_text_in_it(kind: Kind) {
    let ada = Person::register(shared(kind), "ada").await;
    let room = ada.make_room("public").await;
    let hostile = [
        "<script>window.taken=1</script>",
        "a <img src=x onerror=window.taken=1>",
        "[a](javascript:window.taken=1) ![b](data:text/html,taken)",
        "[c](https://a.example/\"onclick=\"taken)",
        "</div></main><form action=/taken>",
    ];
    let mut last = app::model::Position::START;
    for body in hostile {
        (_, last) = ada.post(&room, body).await;
    }
    let page = page(&ada, &room, last).await;
    assert!(page.contains("&lt;script&gt;window.taken=1&lt;/script&gt;"), "it is there as text");
    assert!(page.contains("<a href=\"https://a.example/&quot;onclick=&quot;taken\" rel="), "inside the address");
    // Texts that an edit starts from stand in text areas, and what the script takes over in strings: `<` is neither's.
    for bad in ["<script>window.taken", "<img src=x", "href=\"javascript:", "href=\"data:", "<form action=/taken"] {
        assert!(!page.contains(bad), "{bad}");
    }
}

async fn a_message_as_long_and_as_nested_as_can_be_is_shown(kind: Kind) {
    let ada = Person::register(shared(kind), "ada").await;
    let room = ada.make_room("public").await;
    for body in ["> ".repeat(8_191) + "a", "*a ".repeat(5_461), "- ".repeat(8_191) + "a", "[".repeat(16_384)] {
        ada.post(&room, &body).await;
    }
    let tables = format!("{}\n{}{}", "|a".repeat(900), "|-".repeat(900), "\n|b|".repeat(3_000));
    let (_, last) = ada.post(&room, &tables).await;
    let page = page(&ada, &room, last).await;
    assert!(page.len() < 1_000_000, "{} bytes", page.len());
}
