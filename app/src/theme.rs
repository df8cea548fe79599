//! Light or dark pages: what the person chose, kept in a cookie.

/// `light` or `dark` if the person chose one: the server writes it into the page's first byte, so that nothing flashes.
#[cfg(feature = "ssr")]
pub fn chosen_theme() -> Option<&'static str> {
    let request = leptos::prelude::use_context::<http::request::Parts>()?;
    let cookies = request.headers.get_all(http::header::COOKIE).iter().filter_map(|value| value.to_str().ok());
    let mut pairs = cookies.flat_map(|cookies| cookies.split(';')).filter_map(|pair| pair.trim().split_once('='));
    known(pairs.find(|(name, _)| *name == "partyline_theme")?.1)
}

/// `light` or `dark` if the person chose one: it stands in the page. Another choice loads another page.
#[cfg(not(feature = "ssr"))]
pub fn chosen_theme() -> Option<&'static str> {
    let page = leptos::prelude::document().document_element()?;
    known(&page.get_attribute("data-theme")?)
}

fn known(choice: &str) -> Option<&'static str> {
    ["light", "dark"].into_iter().find(|known| *known == choice)
}
