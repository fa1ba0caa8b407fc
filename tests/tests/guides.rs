//! Manifests of the guides that users follow, end to end: as v1beta1 as the guides have them, as v1, and as our examples.
//!
//! Every Secret is compared byte for byte, with everything that other programs may rely on: type, labels, annotations, owner.

use std::path::Path;

use base64::{Engine, engine::general_purpose::STANDARD};
use k8s_openapi::{Metadata, api::core::v1::Secret};
use kube::{Api, ResourceExt};
use serde_json::{Map, Value, json};
use tests::{
    Bed, Binary, Failure, Process, Result, examples,
    resources::{SOON, synced, valid_cluster_store, valid_store},
    wait,
};
use tokio::sync::OnceCell;

const DATA_HASH: &str = "reconcile.external-secrets.io/data-hash";
const LAST_APPLIED: &str = "kubectl.kubernetes.io/last-applied-configuration";

/// SHA3-224 of `shop/myapp` and so on, as the Go operator writes them; from another implementation of SHA3.
const SHOP_MYAPP: &str = "f9138f0d4cd692962e43e19399bca402c72930b0d16362cc3d9f9650";
const WEB_MYAPP: &str = "d2e0bd6ed5912445dadceaa954604e2b4c51a2e49e596b2b71d63863";
const ORDERS_DB_CREDENTIALS: &str = "a8a5620fb0c828167a848fb1ef7d06cbfcc00c26b5ca2c5760ef69b2";
const ORDERS_DEP: &str = "09f880e50ea989bff3f9913c24563ab865ca5c1ff83609fcfd78049d";
const ORDERS_DATABASE: &str = "8d3770694b6ab84c0cdaf8fb2f0144ff569475dee55d76c65af162c9";
const ORDERS_DB_CONNECTION: &str = "f5c51770025427bdefd1d7b543e0625b29114d970dd20593562adbf4";
const PAYMENTS_DB: &str = "8bb7e10afe2099eb4f0a5cb0e014e701fb78a480826425d000316ce1";
const PAYMENTS_FRAUD_FEED: &str = "ea2537ba529ddee631c7963351b85b6a4c7fa897638198d585a5960d";

const DATABASE: &[(&str, &str)] = &[("username", "user1"), ("password", "securepassword123")];
const UPPER_DATABASE: &[(&str, &str)] = &[("DB_USERNAME", "user1"), ("DB_PASSWORD", "infrasity@5918")];
const CONNECTION: &[(&str, &str)] =
    &[("connection_string", "postgres://user1:securepassword123@database.internal:5432/app_db")];
const FEED: &[(&str, &str)] = &[("api_key", "ak-7f3d"), ("endpoint", "https://feed.example.com/v2?a=1&b=<2>")];

#[tokio::test]
async fn vault_with_a_token() -> Result {
    let myapp = Expected {
        author: ("shop", "myapp"),
        created_by: SHOP_MYAPP,
        name: "myapp-credentials",
        data: &[("DB_USERNAME", "shop_app"), ("DB_PASSWORD", "p4ss/w0rd=+&")],
        has_template: false,
    };
    for source in Source::all("1", "01-vault-token") {
        let guide = Guide::apply(source).await?;
        valid_cluster_store(guide.bed, "vault").await?;
        guide.shows(&["clustersecretstore", "vault"], "vault * Valid ReadWrite True").await?;
        guide.makes(&myapp).await?;
        let row = "myapp ClusterSecretStore vault 1h SecretSynced True *";
        guide.shows(&["externalsecret", "myapp", "-n", "shop"], row).await?;
        guide.delete().await?;
    }
    Ok(())
}

#[tokio::test]
async fn vault_with_kubernetes_auth() -> Result {
    let myapp = Expected {
        author: ("web", "myapp"),
        created_by: WEB_MYAPP,
        name: "myapp-secret",
        data: &[("username", "admin"), ("password", "supersecret")],
        has_template: false,
    };
    for source in Source::all("2", "02-vault-kubernetes") {
        let guide = Guide::apply(source).await?;
        valid_cluster_store(guide.bed, "vault-backend").await?;
        guide.shows(&["clustersecretstore", "vault-backend"], "vault-backend * Valid ReadWrite True").await?;
        guide.makes(&myapp).await?;
        guide.delete().await?;
    }
    Ok(())
}

#[tokio::test]
async fn aws_with_static_keys() -> Result {
    let credentials = Expected {
        author: ("orders", "db-credentials"),
        created_by: ORDERS_DB_CREDENTIALS,
        name: "db-secret",
        data: DATABASE,
        has_template: false,
    };
    let all = Expected {
        author: ("orders", "dep"),
        created_by: ORDERS_DEP,
        name: "kube-secret",
        data: UPPER_DATABASE,
        has_template: false,
    };
    for version in ["v1beta1", "v1"] {
        let guide = Guide::apply(Source::Guide("3", version)).await?;
        for store in ["aws-secret-store", "secretstore-sam"] {
            valid_store(guide.bed, "orders", store).await?;
            let row = format!("{store} * Valid ReadWrite True");
            guide.shows(&["secretstore", store, "-n", "orders"], &row).await?;
        }
        guide.makes(&credentials).await?;
        guide.makes(&all).await?;
        // The guide's last step changes the same object: what the template does not write goes.
        Guide::apply(Source::Guide("3-template", version)).await?;
        guide.makes(&Expected { data: CONNECTION, has_template: true, ..credentials }).await?;
        guide.delete().await?;
    }
    let guide = Guide::apply(Source::Example("03-aws-static-keys")).await?;
    guide.makes(&credentials).await?;
    guide.makes(&Expected { author: ("orders", "database"), created_by: ORDERS_DATABASE, ..all }).await?;
    let connection = Expected {
        author: ("orders", "db-connection"),
        created_by: ORDERS_DB_CONNECTION,
        name: "db-connection",
        data: CONNECTION,
        has_template: true,
    };
    guide.makes(&connection).await?;
    guide.delete().await
}

#[tokio::test]
async fn aws_with_irsa_beside_vault() -> Result {
    for (round, source) in Source::all("4", "04-irsa-and-vault").into_iter().enumerate() {
        let bao = operator().await?.0.bao().await?;
        examples::put_payments_db(bao, "app_user", "Str0ng-and-0ld").await?;
        let guide = Guide::apply(source).await?;
        for store in ["aws-secretsmanager", "vault-backend"] {
            valid_store(guide.bed, "payments", store).await?;
            let row = format!("{store} * Valid ReadWrite True");
            guide.shows(&["secretstore", store, "-n", "payments"], &row).await?;
        }
        let database = Expected {
            author: ("payments", "payments-db"),
            created_by: PAYMENTS_DB,
            name: "payments-db-secret",
            data: &[("DB_USERNAME", "app_user"), ("DB_PASSWORD", "Str0ng-and-0ld")],
            has_template: false,
        };
        let feed = Expected {
            author: ("payments", "fraud-feed"),
            created_by: PAYMENTS_FRAUD_FEED,
            name: "fraud-feed-secret",
            data: FEED,
            has_template: true,
        };
        guide.makes(&database).await?;
        guide.makes(&feed).await?;
        let row = "fraud-feed SecretStore aws-secretsmanager 15m SecretSynced True *";
        guide.shows(&["externalsecret", "fraud-feed", "-n", "payments"], row).await?;

        let rotated = format!("S0meNewRotatedPass!{round}");
        examples::put_payments_db(bao, "app_user", &rotated).await?;
        guide.force_sync("payments-db", round).await?;
        guide.holds("payments-db-secret", "DB_PASSWORD", &rotated).await?;
        guide.orphan_is_kept("payments-db", "payments-db-secret").await?;
        guide.delete().await?;
    }
    Ok(())
}

/// Where the manifests of a guide come from.
#[derive(Clone, Copy)]
enum Source {
    /// A folder of fixtures, in an API version.
    Guide(&'static str, &'static str),
    /// A folder of our examples.
    Example(&'static str),
}

impl Source {
    /// The guide in both versions, and the example that we made of it.
    fn all(guide: &'static str, example: &'static str) -> [Self; 3] {
        [Self::Guide(guide, "v1beta1"), Self::Guide(guide, "v1"), Self::Example(example)]
    }

    /// What a user applies once the namespaces and ServiceAccounts are there.
    fn documents(self, vault: &str) -> Result<Vec<Value>> {
        let folder = match self {
            Self::Guide(name, _) => Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/guides").join(name),
            Self::Example(name) => examples::folder(name),
        };
        let mut documents = examples::documents(&folder, vault)?;
        documents.retain(|document| !examples::is_one_of(document, &["Namespace", "ServiceAccount"]));
        if let Self::Guide(_, version) = self {
            for document in &mut documents {
                document["apiVersion"] = json!(format!("external-secrets.io/{version}"));
            }
        }
        Ok(documents)
    }
}

/// A guide that was followed.
struct Guide {
    bed: &'static Bed,
    documents: Vec<Value>,
}

impl Guide {
    async fn apply(source: Source) -> Result<Self> {
        let (bed, _) = operator().await?;
        let documents = source.documents(&bed.bao().await?.address)?;
        bed.apply(&examples::list(documents.clone())).await?;
        Ok(Self { bed, documents })
    }

    /// Waits until the ExternalSecret is synced, and compares its Secret.
    async fn makes(&self, expected: &Expected<'_>) -> Result {
        let (namespace, name) = expected.author;
        let author = synced(self.bed, namespace, name).await?;
        let secret = self.secrets(namespace)?.get(expected.name).await?;
        let hash = secret.annotations().get(DATA_HASH).cloned().unwrap_or_default();
        assert_eq!(hash.len(), 56, "SHA3-224 in hexadecimal");
        assert_eq!(seen(&secret), expected.secret(author.uid().as_deref().unwrap_or_default()), "{namespace}/{name}");
        Ok(())
    }

    /// Compares the row that `kubectl get` prints, word by word; `*` stands for any.
    async fn shows(&self, what: &[&str], row: &str) -> Result {
        let output = self.bed.kubectl(&[&["get", "--no-headers"], what].concat(), "").await?;
        let words: Vec<_> = output.stdout.split_whitespace().collect();
        let expected: Vec<_> = row.split_whitespace().collect();
        let equal = words.len() == expected.len()
            && words.iter().zip(&expected).all(|(word, expected)| *expected == "*" || word == expected);
        assert!(equal, "{row} expected, but it is {}{}", output.stdout, output.stderr);
        Ok(())
    }

    async fn force_sync(&self, name: &str, value: usize) -> Result {
        let annotation = format!("force-sync={value}");
        self.kubectl(&["annotate", "externalsecret", name, "-n", "payments", &annotation, "--overwrite"]).await
    }

    async fn holds(&self, secret: &str, key: &str, value: &str) -> Result {
        let holds = |secret: &Secret| {
            let data = secret.data.iter().flatten();
            data.into_iter().any(|(name, bytes)| name == key && bytes.0 == value.as_bytes())
        };
        wait::object(&self.secrets("payments")?, secret, "the rotated value", SOON, holds).await.map(drop)
    }

    /// With creationPolicy Orphan, the Secret stays when its ExternalSecret goes.
    async fn orphan_is_kept(&self, name: &str, secret: &str) -> Result {
        let orphan = r#"{"spec": {"target": {"creationPolicy": "Orphan"}}}"#;
        self.kubectl(&["patch", "externalsecret", name, "-n", "payments", "--type=merge", "-p", orphan]).await?;
        let free = |secret: &Secret| secret.owner_references().is_empty();
        let secrets = self.secrets("payments")?;
        let before = wait::object(&secrets, secret, "to have no owner", SOON, free).await?;
        synced(self.bed, "payments", name).await?;
        self.kubectl(&["delete", "externalsecret", name, "-n", "payments"]).await?;
        let after = secrets.get(secret).await?;
        assert_eq!((after.uid(), after.data), (before.uid(), before.data));
        self.kubectl(&["delete", "secret", secret, "-n", "payments"]).await
    }

    /// Deletes everything that was applied; every owned Secret must go with its ExternalSecret.
    async fn delete(&self) -> Result {
        let targets: Vec<_> = self.documents.iter().filter_map(target).collect();
        let list = examples::list(self.documents.clone());
        let output = self.bed.kubectl(&["delete", "--ignore-not-found", "-f", "-"], &list).await?;
        if !output.success {
            return Err(Failure::new(output.stderr));
        }
        for (namespace, name) in targets {
            wait::gone(&self.secrets(namespace)?, name, SOON).await?;
        }
        Ok(())
    }

    async fn kubectl(&self, arguments: &[&str]) -> Result {
        let output = self.bed.kubectl(arguments, "").await?;
        if output.success { Ok(()) } else { Err(Failure::new(output.stderr)) }
    }

    fn secrets(&self, namespace: &str) -> Result<Api<Secret>> {
        Ok(Api::namespaced(self.bed.admin()?, namespace))
    }
}

/// The target of an ExternalSecret: namespace and name.
fn target(document: &Value) -> Option<(&str, &str)> {
    let name = document.pointer("/spec/target/name")?.as_str()?;
    Some((document.pointer("/metadata/namespace")?.as_str()?, name))
}

/// A Secret as it must be.
#[derive(Clone, Copy)]
struct Expected<'a> {
    /// Namespace and name of the ExternalSecret.
    author: (&'a str, &'a str),
    /// The label that says so.
    created_by: &'a str,
    name: &'a str,
    data: &'a [(&'a str, &'a str)],
    /// Without a template, the ExternalSecret's own metadata is copied, and it was applied by kubectl.
    has_template: bool,
}

impl Expected<'_> {
    fn secret(&self, author_uid: &str) -> Value {
        let (namespace, author) = self.author;
        let data: Map<_, _> =
            self.data.iter().map(|(key, value)| ((*key).to_owned(), json!(STANDARD.encode(value)))).collect();
        let annotations = if self.has_template { vec![DATA_HASH] } else { vec![LAST_APPLIED, DATA_HASH] };
        json!({
            "namespace": namespace,
            "name": self.name,
            "type": "Opaque",
            "immutable": null,
            "data": data,
            "labels": {
                "reconcile.external-secrets.io/managed": "true",
                "reconcile.external-secrets.io/created-by": self.created_by,
            },
            "annotations": annotations,
            "finalizers": null,
            "ownerReferences": [{
                "apiVersion": "external-secrets.io/v1",
                "kind": "ExternalSecret",
                "name": author,
                "uid": author_uid,
                "controller": true,
                "blockOwnerDeletion": true,
            }],
        })
    }
}

/// What of a Secret is compared: all but what the API server fills in.
fn seen(secret: &Secret) -> Value {
    let metadata = secret.metadata();
    json!({
        "namespace": metadata.namespace,
        "name": metadata.name,
        "type": secret.type_,
        "immutable": secret.immutable,
        "data": secret.data,
        "labels": metadata.labels,
        "annotations": metadata.annotations.iter().flatten().map(|(key, _)| key).collect::<Vec<_>>(),
        "finalizers": metadata.finalizers,
        "ownerReferences": metadata.owner_references,
    })
}

static OPERATOR: OnceCell<std::result::Result<(&'static Bed, Process), String>> = OnceCell::const_new();

/// The bed of this file with everything that the guides need, and its controller.
async fn operator() -> Result<(&'static Bed, &'static Process)> {
    let start = || async {
        let bed = Bed::shared().await?;
        examples::prepare(bed).await?;
        let aws = bed.moto().await?.environment();
        Ok((bed, bed.operator_with(Binary::Controller, &[], &aws).await?))
    };
    let started =
        OPERATOR.get_or_init(|| async { start().await.map_err(|failure: Failure| failure.to_string()) }).await;
    let (bed, controller) = started.as_ref().map_err(|reason| Failure::new(reason.clone()))?;
    Ok((bed, controller))
}
