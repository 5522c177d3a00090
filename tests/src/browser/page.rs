//! What somebody does with a browser: opens pages, reads, types, presses. Whatever is looked for is waited for, with a
//! deadline.

use super::driver::{Driver, Element};
use crate::wait;
use anyhow::{Context as _, Result, ensure};
use serde_json::{Value, json};
use std::time::Duration;

/// How long something may take to appear.
const LIMIT: Duration = Duration::from_secs(15);

/// Something with these words that can be pressed, if it can be seen.
const PRESSABLE: &str = "
    const [words, inside] = arguments;
    const root = inside ? document.querySelector(inside) : document;
    if (!root) { return null; }
    const plain = one => one.innerText.trim().replace(/\\s+/g, ' ');
    return [...root.querySelectorAll('button, a, summary, [role=button]')]
        .find(one => one.checkVisibility() && plain(one) === words) || null;";

/// The control whose label begins with these words, if it can be seen.
const LABELLED: &str = "
    const [words, inside] = arguments;
    const root = inside ? document.querySelector(inside) : document;
    if (!root) { return null; }
    const label = [...root.querySelectorAll('label')]
        .find(one => one.checkVisibility() && one.innerText.trim().startsWith(words));
    return label ? label.control : null;";

/// A browser at the page of a branch.
#[derive(Debug)]
pub struct Browser {
    /// For what is not below.
    pub driver: Driver,
    base: String,
}

impl Browser {
    /// A browser that trusts `roots`, at the page with this address.
    pub async fn open(base: &str, roots: &str) -> Result<Self> {
        Ok(Self::over(Driver::start(Some(roots)).await?, base))
    }

    /// Any browser.
    pub fn over(driver: Driver, base: &str) -> Self {
        Self { driver, base: base.to_owned() }
    }

    /// Opens a page and waits until it is there with its scripts.
    pub async fn go(&self, path: &str) -> Result<()> {
        self.driver.post("url", &json!({"url": format!("{}{path}", self.base)})).await?;
        Ok(())
    }

    /// The path of the page that is shown.
    pub async fn path(&self) -> Result<String> {
        let path = self.driver.script("return location.pathname + location.search", &[]).await?;
        Ok(path.as_str().unwrap_or_default().to_owned())
    }

    /// What can be read on the page.
    pub async fn text(&self) -> Result<String> {
        self.text_of("body").await
    }

    /// What can be read in the first element of a selector; nothing where there is none.
    pub async fn text_of(&self, css: &str) -> Result<String> {
        let body =
            "const one = document.querySelector(arguments[0]); return one ? one.innerText : ''";
        let text = self.driver.script(body, &[json!(css)]).await?;
        Ok(text.as_str().unwrap_or_default().to_owned())
    }

    /// Waits until these words can be read.
    pub async fn sees(&self, words: &str) -> Result<()> {
        self.sees_in("body", words).await
    }

    /// Waits until these words can be read in the first element of a selector.
    pub async fn sees_in(&self, css: &str, words: &str) -> Result<()> {
        let seen = wait::until_true("the words", LIMIT, || async {
            Ok(self.text_of(css).await?.contains(words))
        })
        .await;
        let text = self.text_of(css).await.unwrap_or_default();
        seen.with_context(|| format!("{words:?} cannot be read in {css}: {text}"))
    }

    /// Waits until a script's expression holds.
    pub async fn until(&self, what: &str, expression: &str) -> Result<()> {
        let body = format!("return Boolean({expression})");
        wait::until_true(what, LIMIT, || async {
            Ok(self.driver.script(&body, &[]).await? == true)
        })
        .await
    }

    /// The value of an expression in the page.
    pub async fn value(&self, expression: &str) -> Result<Value> {
        self.driver.script(&format!("return {expression}"), &[]).await
    }

    /// Presses what has these words.
    pub async fn press(&self, words: &str) -> Result<()> {
        self.press_in("body", words).await
    }

    /// Presses what has these words within the first element of a selector.
    pub async fn press_in(&self, css: &str, words: &str) -> Result<()> {
        let found = self.wait_for(PRESSABLE, words, css).await?;
        self.driver.post(&format!("element/{}/click", found.0), &json!({})).await?;
        Ok(())
    }

    /// Types into the control with a label, in place of what is there.
    pub async fn fill(&self, label: &str, text: &str) -> Result<()> {
        self.fill_in("body", label, text).await
    }

    /// The same within the first element of a selector.
    pub async fn fill_in(&self, css: &str, label: &str, text: &str) -> Result<()> {
        let found = self.wait_for(LABELLED, label, css).await?;
        self.driver.post(&format!("element/{}/clear", found.0), &json!({})).await?;
        self.driver.post(&format!("element/{}/value", found.0), &json!({"text": text})).await?;
        Ok(())
    }

    /// Chooses an option, or ticks a box, with a label.
    pub async fn choose(&self, label: &str, option: &str) -> Result<()> {
        let found = self.wait_for(LABELLED, label, "body").await?;
        let body =
            "const option = [...arguments[0].options].find(one => one.text === arguments[1]);
            return option || null";
        let arguments = [found.argument(), json!(option)];
        let chosen = self.driver.find(body, &arguments).await?.context("no such option")?;
        self.driver.post(&format!("element/{}/click", chosen.0), &json!({})).await?;
        Ok(())
    }

    /// Ticks the box with a label within the first element of a selector.
    pub async fn tick_in(&self, css: &str, label: &str) -> Result<()> {
        let found = self.wait_for(LABELLED, label, css).await?;
        self.driver.post(&format!("element/{}/click", found.0), &json!({})).await?;
        Ok(())
    }

    /// Presses keys, one after the other (the names of `WebDriver`, e.g. `\u{E004}` for Tab).
    pub async fn keys(&self, keys: &str) -> Result<()> {
        let strokes: Vec<_> = keys
            .chars()
            .flat_map(|key| ["keyDown", "keyUp"].map(|kind| json!({"type": kind, "value": key})))
            .collect();
        let actions = json!({"actions": [{"type": "key", "id": "keyboard", "actions": strokes}]});
        self.driver.post("actions", &actions).await?;
        Ok(())
    }

    /// What the page has logged that it should not: errors of scripts, refusals of the policy.
    pub async fn complaints(&self) -> Result<Vec<String>> {
        let log = self.driver.post("se/log", &json!({"type": "browser"})).await?;
        let lines = log.as_array().context("chromedriver gives no log")?.iter();
        let severe = lines.filter(|line| line["level"] == "SEVERE");
        Ok(severe.map(|line| line["message"].as_str().unwrap_or_default().to_owned()).collect())
    }

    /// Fails if the page has logged an error. A form that is refused is none.
    pub async fn is_content(&self) -> Result<()> {
        let mut complaints = self.complaints().await?;
        complaints.retain(|complaint| !complaint.contains("status of 422"));
        ensure!(complaints.is_empty(), "{complaints:#?}");
        Ok(())
    }

    async fn wait_for(&self, body: &str, words: &str, css: &str) -> Result<Element> {
        let arguments = [json!(words), json!(css)];
        let found = wait::until(words, LIMIT, || self.driver.find(body, &arguments)).await;
        let text = self.text_of(css).await.unwrap_or_default();
        found.with_context(|| format!("there is no {words:?} in {css}: {text}"))
    }
}

impl Browser {
    /// Signs in, and is at the first page.
    pub async fn sign_in(&self, name: &str, password: &str) -> Result<()> {
        self.go("/sign-in").await?;
        self.fill("Name", name).await?;
        self.fill("Password", password).await?;
        self.press("Sign in").await?;
        self.until("the first page is shown", "location.pathname !== '/sign-in'").await
    }
}
