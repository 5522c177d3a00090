//! What a page looks like: widths, colours, pictures, and what axe-core says of it.

use super::page::Browser;
use anyhow::{Context as _, Result, ensure};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Value, json};
use std::fmt::Write as _;
use std::path::PathBuf;

/// What the system of whoever looks prefers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Scheme {
    /// Dark on light.
    Light,
    /// Light on dark.
    Dark,
}

impl Scheme {
    /// Both.
    pub const ALL: [Self; 2] = [Self::Light, Self::Dark];

    /// The word for it in style sheets.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Light => "light",
            Self::Dark => "dark",
        }
    }
}

/// A screen.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Width {
    /// What it is called.
    pub name: &'static str,
    /// CSS pixels.
    pub wide: u32,
    /// CSS pixels.
    pub high: u32,
}

/// A small phone.
pub const PHONE: Width = Width { name: "phone", wide: 360, high: 740 };
/// A tablet, as it stands at the desk.
pub const TABLET: Width = Width { name: "tablet", wide: 820, high: 1_100 };

/// Where `packaging/setup.sh` puts axe-core.
const AXE: &str = "../.gymwire/axe-core/axe.min.js";

impl Browser {
    /// Shows pages as a screen does.
    pub async fn on(&self, width: Width) -> Result<()> {
        let metrics = json!({
            "width": width.wide, "height": width.high, "deviceScaleFactor": 1, "mobile": true,
        });
        self.driver.cdp("Emulation.setDeviceMetricsOverride", metrics).await?;
        Ok(())
    }

    /// Prefers light or dark; animations are over at once.
    pub async fn prefer(&self, scheme: Scheme) -> Result<()> {
        let features = json!([
            {"name": "prefers-color-scheme", "value": scheme.as_str()},
            {"name": "prefers-reduced-motion", "value": "reduce"},
        ]);
        self.driver.cdp("Emulation.setEmulatedMedia", json!({"features": features})).await?;
        Ok(())
    }

    /// How much wider the page is than its screen, in CSS pixels.
    pub async fn overhang(&self) -> Result<i64> {
        let wide = "document.documentElement.scrollWidth - document.documentElement.clientWidth";
        self.value(wide).await?.as_i64().context("a width is a number")
    }

    /// A picture (WebP) of the page from its top, at most so many screens high.
    pub async fn picture(&self, width: Width, screens: u32, quality: u8) -> Result<Vec<u8>> {
        let high = self.value("document.documentElement.scrollHeight").await?;
        let high = high.as_u64().context("a height is a number")?;
        let high = high.clamp(u64::from(width.high), u64::from(width.high * screens));
        let clip = json!({"x": 0, "y": 0, "width": width.wide, "height": high, "scale": 1});
        let wanted = json!({
            "format": "webp", "quality": quality, "captureBeyondViewport": true, "clip": clip,
        });
        let taken = self.driver.cdp("Page.captureScreenshot", wanted).await?;
        Ok(STANDARD.decode(taken["data"].as_str().context("no picture was taken")?)?)
    }

    /// Fails if axe-core finds anything serious or critical on the page that is shown.
    pub async fn is_accessible(&self) -> Result<()> {
        let path = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join(AXE);
        let axe = std::fs::read_to_string(&path)
            .with_context(|| format!("{} is not there: see packaging/setup.sh", path.display()))?;
        self.driver.cdp("Runtime.evaluate", json!({"expression": axe})).await?;
        let run = json!({
            "expression": "axe.run(document).then(found => JSON.stringify(found.violations))",
            "awaitPromise": true,
        });
        let found = self.driver.cdp("Runtime.evaluate", run).await?;
        let found = found["result"]["value"].as_str().context("axe-core gave no answer")?;
        let found: Vec<Value> = serde_json::from_str(found)?;
        let is_bad = |one: &&Value| one["impact"] == "serious" || one["impact"] == "critical";
        let bad: Vec<_> = found.iter().filter(is_bad).collect();
        ensure!(bad.is_empty(), "{}", told(&bad));
        Ok(())
    }
}

fn told(found: &[&Value]) -> String {
    let mut text = String::new();
    for one in found {
        let _ = writeln!(text, "{}: {} ({})", one["id"], one["help"], one["impact"]);
        for node in one["nodes"].as_array().into_iter().flatten().take(5) {
            let _ = writeln!(text, "  {}\n  {}", node["html"], node["failureSummary"]);
        }
    }
    text
}
