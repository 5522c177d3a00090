//! Signing in.

use anyhow::Result;
use serde_json::json;
use tests::api::Api;

#[tokio::test]
async fn nobody_signs_in_with_a_wrong_password() -> Result<()> {
    let api = Api::new().await?;
    let login = json!({"email": "nobody@example.com", "password": "not the password"});

    let answer = api.post("/api/v1/auth/login", None, &login).await?;

    assert_eq!(answer.status, 401);
    assert_eq!(answer.headers["content-type"], "application/problem+json");
    Ok(())
}
