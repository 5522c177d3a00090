//! The program itself: exit codes, configuration, `admin`, `seed`, signals.

use anyhow::{Context, Result};
use serde_json::Value;
use std::io::Write;
use std::process::Stdio;
use tests::cloud::Cloud;
use tests::db::Db;
use tests::process;

/// Exit code and stderr.
async fn failing(arguments: &[&str], env: &[(&str, &str)]) -> Result<(Option<i32>, String)> {
    let mut command = process::command("cloud-api")?;
    command.args(arguments).envs(env.iter().copied()).stdin(Stdio::null());
    let output = command.output().await?;
    Ok((output.status.code(), String::from_utf8(output.stderr)?))
}

#[tokio::test]
async fn an_unknown_key_in_the_file_ends_with_2_and_its_name() -> Result<()> {
    let mut file = tempfile::NamedTempFile::new()?;
    writeln!(file, "[http]\nbund = \"127.0.0.1:1\"")?;
    let path = file.path().to_str().context("no text")?;

    let (code, said) = failing(&["--config", path, "migrate"], &[]).await?;

    assert_eq!(code, Some(2));
    assert!(said.contains("http.bund: unknown key"), "{said}");
    Ok(())
}

#[tokio::test]
async fn an_unknown_environment_variable_of_ours_ends_with_2_and_its_name() -> Result<()> {
    let (code, said) = failing(&["migrate"], &[("GYMWIRE_HTTP__BUND", "1")]).await?;

    assert_eq!(code, Some(2));
    assert!(said.contains("http.bund: unknown key"), "{said}");
    Ok(())
}

#[tokio::test]
async fn a_wrong_value_ends_with_2_and_its_key() -> Result<()> {
    let (code, said) = failing(&["migrate"], &[("GYMWIRE_HTTP__BIND", "nowhere")]).await?;

    assert_eq!(code, Some(2));
    assert!(said.contains("http.bind"), "{said}");
    Ok(())
}

#[tokio::test]
async fn an_unknown_profile_ends_with_2_and_its_key() -> Result<()> {
    let (code, said) = failing(&["migrate"], &[("APP_ENV", "moon")]).await?;

    assert_eq!(code, Some(2));
    assert!(said.contains("service.environment"), "{said}");
    Ok(())
}

#[tokio::test]
async fn a_database_url_that_is_none_ends_with_2_and_its_key() -> Result<()> {
    let (code, said) = failing(&["migrate", "--database-url", "geheim"], &[]).await?;

    assert_eq!(code, Some(2));
    assert!(said.contains("database.url") && !said.contains("geheim"), "{said}");
    Ok(())
}

#[tokio::test]
async fn a_database_that_is_not_there_is_named_with_the_reason() -> Result<()> {
    let env = [
        ("DATABASE_URL", "postgres://gymwire:geheim@127.0.0.1:1/gymwire"),
        ("GYMWIRE_DATABASE__CONNECT_TIMEOUT_S", "1"),
    ];

    let (code, said) = failing(&["admin", "create-org", "Gym"], &env).await?;

    assert_eq!(code, Some(1));
    assert!(said.contains("127.0.0.1:1") && said.contains("refused"), "{said}");
    assert!(!said.contains("geheim"), "{said}");
    Ok(())
}

#[tokio::test]
async fn settings_of_other_programs_in_the_same_environment_are_theirs() -> Result<()> {
    let shared = [("GYMWIRE_AGENT__STATE_DIR", "/tmp"), ("GYMWIRE_HTTP__BIND", "nowhere")];

    let (_, said) = failing(&["migrate"], &shared).await?;

    assert!(said.contains("http.bind") && !said.contains("agent"), "{said}");
    Ok(())
}

#[tokio::test]
async fn a_missing_file_and_wrong_usage_end_with_2() -> Result<()> {
    assert_eq!(failing(&["--config", "/nowhere.toml", "migrate"], &[]).await?.0, Some(2));
    assert_eq!(failing(&["frobnicate"], &[]).await?.0, Some(2));
    Ok(())
}

#[tokio::test]
async fn a_port_in_use_is_said_in_words() -> Result<()> {
    let taken = tokio::net::TcpListener::bind("127.0.0.1:0").await?;
    let address = taken.local_addr()?.to_string();

    let (code, said) = failing(&["serve", "--bind", &address], &[]).await?;

    assert_eq!(code, Some(1));
    assert!(said.contains(&address), "{said}");
    Ok(())
}

#[tokio::test]
async fn sigterm_is_a_clean_end() -> Result<()> {
    let (db, folder) = (Db::new().await?, tempfile::tempdir()?);
    let mut cloud = Cloud::over(&db.url(), folder.path())?;
    cloud.start().await?;

    cloud.stop().await
}

#[tokio::test]
async fn outside_development_log_lines_are_json() -> Result<()> {
    let (db, folder) = (Db::new().await?, tempfile::tempdir()?);
    let mut cloud = Cloud::over(&db.url(), folder.path())?;
    cloud.env("APP_ENV", "production");
    cloud.start().await?;
    cloud.stop().await?;

    let log = std::fs::read_to_string(folder.path().join("cloud-api.log"))?;

    let lines = log.lines().map(serde_json::from_str::<Value>);
    let lines = lines.collect::<Result<Vec<_>, _>>().with_context(|| log.clone())?;
    assert!(lines.iter().any(|line| line["message"] == "serving"), "{log}");
    Ok(())
}

#[tokio::test]
async fn the_seed_makes_a_gym_that_its_staff_can_log_in_to() -> Result<()> {
    let (db, folder) = (Db::new().await?, tempfile::tempdir()?);
    let mut cloud = Cloud::over(&db.url(), folder.path())?;
    let seeded: Value = serde_json::from_str(&cloud.run(&["seed", "--json"]).await?)?;
    cloud.start().await?;

    let login = serde_json::json!({
        "email": seeded["users"][1]["email"], "password": seeded["users"][1]["password"],
    });
    let url = format!("{}/api/v1/auth/login", cloud.url());
    let answer = tests::http::client().post(url).json(&login).send().await?;

    assert_eq!(answer.status(), 200);
    let machines = seeded["devices"].as_array().context("no devices")?;
    assert_eq!(machines.iter().filter(|device| device["kind"] == "machine").count(), 40);
    let (code, said) = failing(&["seed"], &[("DATABASE_URL", &db.url())]).await?;
    assert_eq!(code, Some(1));
    assert!(said.contains("there already"), "{said}");
    cloud.stop().await
}

#[tokio::test]
async fn admin_makes_a_gym_step_by_step() -> Result<()> {
    let (db, folder) = (Db::new().await?, tempfile::tempdir()?);
    let cloud = Cloud::over(&db.url(), folder.path())?;
    cloud.admin(&["create-org", "Gym"]).await?;
    cloud.admin(&["create-branch", "Centre", "--time-zone", "Europe/Berlin"]).await?;
    cloud.admin(&["create-bridge", "bridge-1"]).await?;
    cloud.admin(&["create-reader", "door-1", "--bridge", "bridge-1"]).await?;
    cloud.admin(&["create-observer", "tv", "--topic", "gymwire/v1/machines/+/status"]).await?;

    let machine = cloud.admin(&["create-machine", "rower-1", "--type", "cardio", "--json"]).await?;
    let user = cloud
        .admin(&[
            "create-user",
            "ada@example.com",
            "--role",
            "staff",
            "--branch",
            "Centre",
            "--json",
        ])
        .await?;

    let machine: Value = serde_json::from_str(&machine)?;
    assert!(machine["secret"].as_str().context("no secret")?.len() >= 22);
    let user: Value = serde_json::from_str(&user)?;
    assert!(user["password"].as_str().context("no password")?.len() >= 20);
    let told: i64 = sqlx::query_scalar("SELECT count(*) FROM branch_items WHERE kind = 1")
        .fetch_one(&db.pool().await?)
        .await?;
    assert_eq!(told, 4);
    Ok(())
}

#[tokio::test]
async fn admin_rotates_the_key_that_branches_believe() -> Result<()> {
    let (db, folder) = (Db::new().await?, tempfile::tempdir()?);
    let cloud = Cloud::over(&db.url(), folder.path())?;
    let (code, said) =
        failing(&["admin", "create-branch", "B"], &[("DATABASE_URL", &db.url())]).await?;
    assert_eq!(code, Some(1));
    assert!(said.contains("admin create-org"), "{said}");
    cloud.admin(&["create-org", "Gym"]).await?;
    cloud.admin(&["create-branch", "Centre"]).await?;
    cloud.admin(&["create-branch", "North"]).await?;

    let first: Value = serde_json::from_str(&cloud.admin(&["rotate-keys", "--json"]).await?)?;
    let second: Value = serde_json::from_str(&cloud.admin(&["rotate-keys", "--json"]).await?)?;

    assert!(first["key_id"].as_u64() < second["key_id"].as_u64());
    let pool = db.pool().await?;
    let signing =
        "SELECT count(*) FROM signing_keys WHERE purpose = 'branch' AND retired_at IS NULL";
    let signing: i64 = sqlx::query_scalar(signing).fetch_one(&pool).await?;
    let told = "SELECT count(*) FROM branch_items WHERE kind = 3";
    let told: i64 = sqlx::query_scalar(told).fetch_one(&pool).await?;
    assert_eq!((signing, told), (1, 4));
    Ok(())
}

#[tokio::test]
async fn admin_says_what_is_there_already_or_missing() -> Result<()> {
    let (db, folder) = (Db::new().await?, tempfile::tempdir()?);
    let cloud = Cloud::over(&db.url(), folder.path())?;
    cloud.admin(&["create-org", "Gym"]).await?;
    cloud.admin(&["create-branch", "Centre"]).await?;
    cloud.admin(&["create-machine", "rower-1", "--type", "cardio"]).await?;
    let url = db.url();
    let expectations: [(&[&str], &str); 7] = [
        (&["create-org", "Gym"], "exists already"),
        (&["create-branch", "Centre"], "already"),
        (&["create-branch", "South", "--time-zone", "Mars/Olympus"], "is no time zone"),
        (&["create-reader", "rower-1"], "already"),
        (&["create-reader", "door-1", "--bridge", "bridge-9"], "there is no device bridge-9"),
        (&["create-reader", "door-1", "--bridge", "rower-1"], "rower-1 is a machine"),
        (&["create-user", "a@b", "--role", "staff"], "--branch is needed"),
    ];

    for (arguments, expected) in expectations {
        let (code, said) =
            failing(&[&["admin"], arguments].concat(), &[("DATABASE_URL", &url)]).await?;
        assert_eq!(code, Some(1), "{arguments:?}: {said}");
        assert!(said.contains(expected), "{arguments:?}: {said}");
    }
    Ok(())
}
