//! Files: a folder, or S3 and what is compatible with it. Paths are ours, never a client's.

use crate::config::{ConfigError, FileStore, Files as Config};
use crate::outside::web;
use anyhow::Context;
use axum::body::Bytes;
use futures_util::TryStreamExt;
use object_store::aws::AmazonS3Builder;
use object_store::local::LocalFileSystem;
use object_store::path::Path;
use object_store::{ClientOptions, ObjectStore, ObjectStoreExt, RetryConfig};
use std::path::PathBuf;
use std::sync::{Arc, OnceLock};
use std::time::Duration;

/// Where files are kept; clones are the same place.
#[derive(Debug, Clone)]
pub struct Files(Arc<Place>);

#[derive(Debug)]
enum Place {
    /// Made when it is first needed.
    Folder {
        path: PathBuf,
        opened: OnceLock<Arc<dyn ObjectStore>>,
    },
    S3(Arc<dyn ObjectStore>),
}

impl Files {
    /// The place of the configuration.
    pub fn open(config: &Config, state_dir: &std::path::Path) -> anyhow::Result<Self> {
        let place = match config.store {
            FileStore::Folder => {
                Place::Folder { path: state_dir.join("files"), opened: OnceLock::new() }
            }
            FileStore::S3 => Place::S3(Arc::new(s3(config)?)),
        };
        Ok(Self(Arc::new(place)))
    }

    fn store(&self) -> anyhow::Result<Arc<dyn ObjectStore>> {
        let (path, opened) = match &*self.0 {
            Place::S3(store) => return Ok(Arc::clone(store)),
            Place::Folder { path, opened } => (path, opened),
        };
        if let Some(store) = opened.get() {
            return Ok(Arc::clone(store));
        }
        std::fs::create_dir_all(path).with_context(|| path.display().to_string())?;
        let store = LocalFileSystem::new_with_prefix(path)?.with_automatic_cleanup(true);
        Ok(Arc::clone(opened.get_or_init(|| Arc::new(store))))
    }

    /// Keeps a file, in place of one that is there.
    pub async fn put(&self, path: &str, content: Bytes) -> anyhow::Result<()> {
        self.store()?.put(&parse(path)?, content.into()).await.context("a file cannot be kept")?;
        Ok(())
    }

    /// A whole file; `None` if it is not there.
    pub async fn get(&self, path: &str) -> anyhow::Result<Option<Bytes>> {
        match self.store()?.get(&parse(path)?).await {
            Ok(found) => Ok(Some(found.bytes().await.context("a file cannot be read")?)),
            Err(object_store::Error::NotFound { .. }) => Ok(None),
            Err(error) => Err(error).context("a file cannot be read"),
        }
    }

    /// Removes a file; one that is not there is gone already.
    pub async fn delete(&self, path: &str) -> anyhow::Result<()> {
        match self.store()?.delete(&parse(path)?).await {
            Ok(()) | Err(object_store::Error::NotFound { .. }) => Ok(()),
            Err(error) => Err(error).context("a file cannot be removed"),
        }
    }

    /// Removes everything below a path.
    pub async fn delete_below(&self, path: &str) -> anyhow::Result<()> {
        let found: Vec<_> = self.store()?.list(Some(&parse(path)?)).try_collect().await?;
        for file in found {
            self.delete(file.location.as_ref()).await?;
        }
        Ok(())
    }
}

fn parse(path: &str) -> anyhow::Result<Path> {
    Path::parse(path).context("no path of a file")
}

fn s3(config: &Config) -> anyhow::Result<impl ObjectStore> {
    web::use_ring();
    let needed = |value: &Option<String>, key: &str| {
        value.clone().ok_or_else(|| ConfigError::new(format!("files.{key}: is needed for s3")))
    };
    let secret = config.secret_key.as_ref().map(|key| key.expose().to_owned());
    let retry = RetryConfig { retry_timeout: GIVE_UP, max_retries: 3, ..RetryConfig::default() };
    let mut builder = AmazonS3Builder::new()
        .with_bucket_name(needed(&config.bucket, "bucket")?)
        .with_region(&config.region)
        .with_access_key_id(needed(&config.access_key, "access_key")?)
        .with_secret_access_key(needed(&secret, "secret_key")?)
        .with_retry(retry)
        .with_client_options(ClientOptions::new().with_timeout(GIVE_UP).with_allow_http(true));
    if let Some(endpoint) = &config.endpoint {
        builder = builder.with_endpoint(endpoint);
    }
    builder.build().context("files: the store cannot be used")
}

const GIVE_UP: Duration = Duration::from_secs(20);
