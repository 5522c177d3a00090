//! Users: what they tell, prefer, measure and show, what they agree to, and how they leave.

pub mod avatars;
mod body;
mod consents;
mod credentials;
mod dashboard;
mod directory;
mod ending;
mod erasing;
mod exports;
mod joining;
mod photos;
mod profiles;
mod scans;
mod sharing;
mod watch;

use crate::gym::{Gym, PASSWORD};
use anyhow::{Context, Result};
use axum::body::Body;
use axum::http::{Method, Request};
use cloud_api::domains::accounts::Role;
use cloud_api::domains::members::{self, Member};
use cloud_api::ids::{BranchId, UserId};
use cloud_api::jobs::run_due_jobs;
use serde_json::{Value, json};
use tests::api::{Answer, Api};

/// A gym with somebody who is logged in.
struct Scene {
    api: Api,
    gym: Gym,
    ada: Person,
}

/// Somebody who is logged in.
struct Person {
    id: UserId,
    email: String,
    token: String,
}

/// Sends a file as browsers do.
pub async fn upload(
    api: &Api,
    token: &str,
    path: &str,
    name: &str,
    content: &[u8],
) -> Result<Answer> {
    let head = format!(
        "--edge\r\nContent-Disposition: form-data; name=\"{name}\"; filename=\"../../a.sh\"\r\n\r\n"
    );
    let body = [head.as_bytes(), content, &b"\r\n--edge--\r\n"[..]].concat();
    let request = Request::post(format!("/api/v1{path}"))
        .header("authorization", format!("Bearer {token}"))
        .header("content-type", "multipart/form-data; boundary=edge");
    api.call(request.body(Body::from(body))?).await
}

impl Scene {
    async fn open() -> Result<Self> {
        let api = Api::new().await?;
        let gym = Gym::open(&api, "Gym").await?;
        let ada = Person::enter(&api, &gym, "ada@example.com", Role::Member, &[]).await?;
        Ok(Self { api, gym, ada })
    }

    async fn person(&self, email: &str, role: Role, at: &[BranchId]) -> Result<Person> {
        Person::enter(&self.api, &self.gym, email, role, at).await
    }

    async fn send(&self, who: &Person, method: Method, path: &str, body: Value) -> Result<Answer> {
        self.api.send(method, &format!("/api/v1{path}"), Some(&who.token), &body).await
    }

    async fn put(&self, path: &str, body: Value) -> Result<Answer> {
        self.send(&self.ada, Method::PUT, path, body).await
    }

    async fn post(&self, path: &str, body: Value) -> Result<Answer> {
        self.send(&self.ada, Method::POST, path, body).await
    }

    async fn get(&self, path: &str) -> Result<Answer> {
        self.api.get(&format!("/api/v1{path}"), Some(&self.ada.token)).await
    }

    async fn delete(&self, path: &str) -> Result<Answer> {
        self.api.delete(&format!("/api/v1{path}"), Some(&self.ada.token)).await
    }

    async fn upload(&self, path: &str, name: &str, content: &[u8]) -> Result<Answer> {
        upload(&self.api, &self.ada.token, path, name, content).await
    }

    /// Makes Ada a member who may use a branch, or all.
    async fn ada_is_a_member(&self, at: Option<BranchId>) -> Result<Member> {
        let member = self.gym.member(&self.api, "Ada", at).await?;
        members::set_user(&mut *self.api.app.db.acquire().await?, member.id, self.ada.id).await?;
        Ok(member)
    }

    async fn agree(&self, what: &str) -> Result<()> {
        let answer = self.put("/users/consents", json!({"version": "1", what: true})).await?;
        anyhow::ensure!(answer.status == 200, "{:?}", answer.json());
        Ok(())
    }

    /// Subjects of letters that came since the last time.
    async fn letters(&self) -> Result<Vec<String>> {
        run_due_jobs(&self.api.app).await?;
        Ok(self.api.inbox.take().into_iter().map(|letter| letter.subject).collect())
    }
}

impl Person {
    async fn enter(api: &Api, gym: &Gym, email: &str, role: Role, at: &[BranchId]) -> Result<Self> {
        gym.user(api, email, role, at).await?;
        let answer = log_in(api, email).await?.json()?;
        let token = answer["access_token"].as_str().context("no token")?.to_owned();
        let id = answer["user"]["id"].as_str().context("no id")?.parse()?;
        Ok(Self { id, email: email.to_owned(), token })
    }
}

async fn log_in(api: &Api, email: &str) -> Result<Answer> {
    api.post("/api/v1/auth/login", None, &json!({"email": email, "password": PASSWORD})).await
}

fn told(answer: &Answer) -> Result<(u16, Value)> {
    Ok((answer.status.as_u16(), answer.json()?["code"].clone()))
}
