//! One private PostgreSQL for the whole run, and a database for each test.

use std::{
    env,
    os::unix::fs::PermissionsExt,
    process::{Child, Command, Stdio},
    sync::{
        OnceLock,
        atomic::{AtomicU32, Ordering},
    },
};

use catalog::store::{
    Database,
    embedded::{Cluster, Location},
    postgres::Schema,
    schema,
};
use sqlx::{AssertSqlSafe, ConnectOptions, Connection, Executor, postgres::PgConnectOptions};

static RUN: OnceLock<Run> = OnceLock::new();
static NEXT: AtomicU32 = AtomicU32::new(1);
static TEMPLATE: tokio::sync::OnceCell<()> = tokio::sync::OnceCell::const_new();
/// `create database` copies its template, which nobody else may use meanwhile.
static CREATING: tokio::sync::Mutex<()> = tokio::sync::Mutex::const_new(());

struct Run {
    cluster: Cluster,
    /// Stops and removes the cluster when this process is gone, however it went: its standard input closes then.
    _janitor: Child,
}

/// Where the program finds server binaries, as in the environment of this run.
pub fn location(data: std::path::PathBuf) -> Location {
    Location {
        data,
        pg_bin: env::var_os("CATALOG_PG_BIN").map(Into::into),
        path: env::var_os("PATH").unwrap_or_default(),
        cache: Some(cache()),
    }
}

/// Where `scripts/setup` puts server binaries that the machine's packages do not have.
fn cache() -> std::path::PathBuf {
    if rustix::process::geteuid().is_root() {
        return "/var/cache/catalog".into();
    }
    let of_home = || std::path::PathBuf::from(env::var_os("HOME").unwrap_or_default()).join(".cache");
    env::var_os("XDG_CACHE_HOME").filter(|path| !path.is_empty()).map_or_else(of_home, Into::into).join("catalog")
}

/// A directory that the account of the server can enter, too.
pub fn open_directory() -> tempfile::TempDir {
    let directory = tempfile::tempdir().unwrap();
    std::fs::set_permissions(directory.path(), std::fs::Permissions::from_mode(0o755)).unwrap();
    directory
}

fn run() -> &'static Run {
    RUN.get_or_init(|| {
        let data = open_directory().keep();
        let cluster = Cluster::open(&location(data.clone()), &mut |_| ()).unwrap();
        let script = "cat >/dev/null; kill -INT \"$(head -n 1 \"$1/pg/postmaster.pid\")\"; \
                      while [ -e \"$1/pg/postmaster.pid\" ]; do sleep 0.1; done; rm -rf \"$1\"";
        let janitor = Command::new("sh")
            .args(["-c", script, "janitor"])
            .arg(&data)
            .stdin(Stdio::piped())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        Run { cluster, _janitor: janitor }
    })
}

/// A database of a test's own.
#[derive(Clone)]
pub struct TestDatabase {
    pub name: String,
}

impl TestDatabase {
    /// A database with the current schema, copied from one that was migrated once.
    pub async fn migrated() -> Self {
        TEMPLATE
            .get_or_init(|| async {
                let template = Self::named("template_catalog", "template0").await;
                let database = template.open();
                schema::migrate(&database).await.unwrap();
                database.close().await;
            })
            .await;
        Self::named(&Self::fresh_name(), "template_catalog").await
    }

    /// A copy of it as it is now, which nobody may be using.
    pub async fn copy(&self) -> Self {
        Self::named(&Self::fresh_name(), &self.name).await
    }

    /// A database without any schema.
    pub async fn empty() -> Self {
        Self::named(&Self::fresh_name(), "template0").await
    }

    fn fresh_name() -> String {
        format!("test_{}", NEXT.fetch_add(1, Ordering::Relaxed))
    }

    async fn named(name: &str, template: &str) -> Self {
        let options = tokio::task::block_in_place(|| run().cluster.superuser_options());
        let _creating = CREATING.lock().await;
        let mut connection = options.connect().await.unwrap();
        let sql = format!("create database {name} template {template} owner catalog_owner");
        connection.execute(AssertSqlSafe(sql)).await.unwrap();
        connection.close().await.unwrap();
        Self { name: name.to_owned() }
    }

    /// As the owner of the database, which is how the program is told to connect.
    pub fn owner(&self) -> PgConnectOptions {
        run().cluster.connect_options().database(&self.name)
    }

    /// As somebody whom no privilege holds back.
    pub fn superuser(&self) -> PgConnectOptions {
        run().cluster.superuser_options().database(&self.name).options([("search_path", "catalog")])
    }

    /// The address for the program's own settings.
    pub fn url(&self) -> String {
        let socket = run().cluster.connect_options().get_socket().unwrap().display().to_string();
        format!("postgres://catalog_owner@localhost/{}?host={}", self.name, socket.replace('/', "%2F"))
    }

    /// The catalog in it.
    pub fn open(&self) -> Database {
        Database::new(self.owner(), "catalog".parse::<Schema>().unwrap())
    }

    /// Runs statements as a superuser, triggers or not.
    pub async fn tamper(&self, sql: &str) {
        let mut connection = self.superuser().connect().await.unwrap();
        connection.execute(sqlx::raw_sql(AssertSqlSafe(sql.to_owned()))).await.unwrap();
        connection.close().await.unwrap();
    }
}
