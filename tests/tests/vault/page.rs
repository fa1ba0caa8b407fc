//! The page for users, followed in a namespace of its own.

use std::{fs, path::PathBuf};

use serde_json::{Value, json};
use support::Scene;
use tests::{
    Bed, Failure, Result,
    pages::{self, Page},
};
use tokio::sync::OnceCell;

use crate::support;

/// Section of the page with what all methods share.
const SHARED: &str = "HashiCorp Vault and OpenBao";

static PREPARED: OnceCell<std::result::Result<(), String>> = OnceCell::const_new();

/// Someone who follows the page.
pub struct Reader {
    pub scene: Scene,
    /// Class of the controller that the stores are for.
    class: String,
    page: Page,
    folder: PathBuf,
}

impl Reader {
    /// `scene`: its namespace takes the place of `team-a`. `class`: of the controller that the stores are for.
    pub async fn new(scene: Scene, class: &str) -> Result<Self> {
        let page = Page::read("providers/vault.md")?;
        let folder = scene.bed.folder().join("readers").join(&scene.namespace);
        fs::create_dir_all(&folder)?;
        let reader = Self { scene, class: class.to_owned(), page, folder };
        reader.put("ca.crt", reader.scene.bed.ca_pem())?;
        let key = reader.scene.bed.folder().join("certificates/service-account.pub");
        fs::copy(key, reader.folder.join("service-account.pub"))?;
        let prepare = || async { reader.prepare().await.map_err(|failure| failure.to_string()) };
        PREPARED.get_or_init(prepare).await.clone().map_err(Failure::new)?;
        Ok(reader)
    }

    /// What the page asks for once.
    async fn prepare(&self) -> Result {
        // The bed's own mount would be in the way of the page's.
        self.bed().bao().await?.call(reqwest::Method::DELETE, "sys/auth/kubernetes", None).await?;
        self.run(SHARED, "bash").await
    }

    pub fn bed(&self) -> &'static Bed {
        self.scene.bed
    }

    /// Where OpenBao is, plainly or with TLS.
    pub async fn address(&self, with_tls: bool) -> Result<&'static str> {
        let bao = self.bed().bao().await?;
        Ok(if with_tls { &bao.tls_address } else { &bao.address })
    }

    /// A file where the commands are run.
    pub fn put(&self, name: &str, text: &str) -> Result {
        Ok(fs::write(self.folder.join(name), text)?)
    }

    /// What the administrator of Vault does.
    pub async fn prepare_vault(&self, section: &str) -> Result {
        self.run(section, "bash").await
    }

    /// What the user does before the manifests; nothing in some sections.
    pub async fn prepare_namespace(&self, section: &str) -> Result {
        if self.page.sections("sh").contains(&section) { self.run(section, "sh").await } else { Ok(()) }
    }

    /// The manifests of a section, with this server.
    pub fn manifests(&self, section: &str, server: &str) -> Result<Vec<Value>> {
        let mut documents = self.page.manifests(section)?;
        for document in &mut documents {
            document["metadata"]["namespace"] = json!(self.scene.namespace);
            if let Some(address) = document.pointer_mut("/spec/provider/vault/server") {
                *address = json!(server);
                document["spec"]["controller"] = json!(self.class);
            }
        }
        Ok(documents)
    }

    /// Applies them, and waits until the ExternalSecret of the page has what lies in the store.
    pub async fn apply(&self, section: &str, server: &str) -> Result {
        for document in self.manifests(section, server)?.iter().chain(&self.manifests(SHARED, server)?) {
            self.scene.apply(document).await?;
        }
        Ok(())
    }

    pub async fn is_served(&self) -> Result {
        let waits = async {
            self.scene.holds("db", &[("password", "from-vault")]).await?;
            self.scene.is_synced("db").await
        };
        match waits.await {
            Ok(_) => Ok(()),
            Err(failure) => {
                let seen =
                    self.scene.bed.kubectl(&["-n", &self.scene.namespace, "get", "ess,ss", "-o", "wide"], "").await;
                let seen = seen.map(|output| output.stdout).unwrap_or_default();
                Err(failure.during(format!("following the page; there is\n{seen}")))
            }
        }
    }

    async fn run(&self, section: &str, language: &str) -> Result {
        let block = self.page.text(section, language)?.replace("\n---\n", "\n");
        let variables = [("NAMESPACE", self.scene.namespace.as_str()), ("KUBERNETES_HOST", self.bed().server())];
        let run = pages::run(self.bed(), &self.folder, &variables, &block).await;
        run.map_err(|failure| failure.during(format!("section {section:?}")))
    }
}
