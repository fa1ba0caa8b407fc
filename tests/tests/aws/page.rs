//! The page for users, followed in a namespace of its own with a controller of its own.

use std::fs;

use serde_json::{Value, json};
use support::Scene;
use tests::{
    Binary, Mark, MotoRequest, Process, Requests, Result,
    pages::{self, Page},
};

use crate::{REGION, support};

/// Section of the page with what all ways to sign in share.
const SHARED: &str = "AWS";

/// Someone who follows the page.
pub struct Reader {
    pub scene: Scene,
    page: Page,
    _controller: Process,
    mark: Mark,
}

impl Reader {
    /// `environment`: of the controller, beside the addresses.
    pub async fn new(prefix: &str, environment: &[(&str, &str)]) -> Result<Self> {
        let scene = Scene::without_controller(prefix).await?;
        let moto = scene.bed.moto().await?;
        moto.put_secret(REGION, "team-a/db", r#"{"password":"from-aws"}"#).await?;
        let own = environment.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned()));
        let environment: Vec<_> = moto.environment().into_iter().chain(own).collect();
        let flags = ["--namespace", &scene.namespace];
        let controller = scene.bed.operator_with(Binary::Controller, &flags, &environment).await?;
        let mark = moto.mark();
        Ok(Self { page: Page::read("providers/aws.md")?, _controller: controller, mark, scene })
    }

    /// Runs the commands of a section and applies its manifests and those of all.
    pub async fn follow(&self, section: &str) -> Result {
        let folder = self.scene.bed.folder().join("readers").join(&self.scene.namespace);
        fs::create_dir_all(&folder)?;
        if self.page.sections("sh").contains(&section) {
            let block = self.page.text(section, "sh")?;
            pages::run(self.scene.bed, &folder, &[("NAMESPACE", &self.scene.namespace)], &block).await?;
        }
        for document in self.manifests(section)?.iter().chain(&self.manifests(SHARED)?) {
            self.scene.apply(document).await?;
        }
        Ok(())
    }

    fn manifests(&self, section: &str) -> Result<Vec<Value>> {
        let mut documents = self.page.manifests(section)?;
        for document in &mut documents {
            document["metadata"]["namespace"] = json!(self.scene.namespace);
        }
        Ok(documents)
    }

    /// Waits until the ExternalSecret of the page has what lies in the store.
    pub async fn is_served(&self) -> Result {
        self.scene.holds("db", &[("password", "from-aws")]).await?;
        self.scene.is_synced("db").await.map(drop)
    }

    /// What this controller and others asked of AWS since the start.
    pub async fn requests(&self) -> Result<Requests<MotoRequest>> {
        self.scene.bed.moto().await?.requests_since(self.mark)
    }
}

#[test]
fn documents_of_iam_are_such_and_name_only_actions_that_are_called() {
    let page = fs::read_to_string(tests::tools::repository().join("docs/providers/aws.md")).unwrap();
    let known = [
        "secretsmanager:BatchGetSecretValue",
        "secretsmanager:DescribeSecret",
        "secretsmanager:GetSecretValue",
        "secretsmanager:ListSecrets",
        "ssm:DescribeParameters",
        "ssm:GetParameter",
        "ssm:GetParameters",
        "ssm:GetParametersByPath",
        "ssm:ListTagsForResource",
        "sts:AssumeRole",
        "sts:AssumeRoleWithWebIdentity",
        "sts:TagSession",
    ];
    let mut named = Vec::new();
    for block in page.split("```json\n").skip(1) {
        let (text, _) = block.split_once("```").unwrap();
        let document: Value = serde_json::from_str(text).unwrap();
        assert_eq!(document["Version"], "2012-10-17");
        for statement in document["Statement"].as_array().unwrap() {
            assert_eq!(statement["Effect"], "Allow");
            assert!(statement["Resource"].is_string() || statement["Principal"].is_object(), "{statement}");
            let actions = match &statement["Action"] {
                Value::String(action) => vec![action.clone()],
                several => serde_json::from_value(several.clone()).unwrap(),
            };
            named.extend(actions);
        }
    }
    named.sort();
    assert_eq!(named, known);
}
