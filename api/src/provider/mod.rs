//! The backends that a store can have: one file each, one line each in the list below.
//!
//! A store names exactly one of them. Blocks of backends that this build lacks survive untouched in
//! [`Provider::other`], so that an object written for another build can be read, listed and written back.

use std::collections::BTreeMap;

use serde_json::Value;

use crate::nearest::nearest;
use crate::problem::Problem;
use crate::reference::StoreKind;

mod aws;
mod fake;
mod one_of;
mod selector;
mod vault;

pub use aws::{
    Aws, AwsAuth, AwsJwtAuth, AwsSecretAuth, AwsService, SecretsManagerOptions, SessionTag, SessionTagsPolicy,
};
pub use fake::{Fake, FakeItem};
pub use selector::Scope;
pub use vault::{
    AppRoleAuth, CertAuth, CheckAndSet, ClientTls, GcpAuth, GcpSecretRef, GcpWorkloadIdentity, IamAuth, IamJwt,
    IamSecretRef, JwtAuth, KubernetesAuth, LdapAuth, ServiceAccountToken, UserPassAuth, Vault, VaultAuth, VaultVersion,
};

one_of::one_of! {
    /// The backend of a store. Set exactly one.
    pub struct Provider / enum ProviderRef {
        /// HashiCorp Vault or OpenBao, key/value engine version 1 or 2.
        vault: Vault(Vault),
        /// AWS Secrets Manager.
        aws: Aws(Aws),
        /// Values written into the store itself, for demonstrations and tests.
        fake: Fake(Fake),
    }
}

/// What a backend's block is asked. Each backend answers in its own file.
pub trait Check {
    /// Everything that is wrong with the block, paths relative to it. Nothing is looked up.
    fn problems(&self, scope: &Scope) -> Vec<Problem>;

    /// What is allowed but may not be what the user wants, paths relative to the block.
    fn warnings(&self) -> Vec<Problem> {
        Vec::new()
    }

    /// Whether nobody maintains the backend.
    fn is_unmaintained(&self) -> bool {
        false
    }
}

/// Where the backend's block stands in a store.
pub const PATH: &str = "spec.provider";

impl Provider {
    /// The one backend that is set.
    pub fn choice(&self) -> Result<ProviderRef<'_>, Problem> {
        let known = self.known();
        match (known.as_slice(), self.other.is_empty()) {
            ([only], true) => Ok(*only),
            ([], true) => Err(Problem::new(PATH, "names no backend", format!("set exactly one of {}", supported()))),
            ([], false) if self.other.len() == 1 => Err(self.foreign_problem()),
            _ => Err(self.several_problem()),
        }
    }

    /// Everything that is wrong with the choice and the chosen block.
    pub fn check(&self, scope: &Scope) -> Vec<Problem> {
        match self.choice() {
            Err(problem) => vec![problem],
            Ok(choice) => choice.under_its_path(choice.as_check().problems(scope)),
        }
    }

    /// What is allowed but may not be what the user wants.
    pub fn warnings(&self) -> Vec<Problem> {
        self.choice().map_or_else(|_| Vec::new(), |choice| choice.under_its_path(choice.as_check().warnings()))
    }

    fn foreign_problem(&self) -> Problem {
        let name = self.other.keys().next().map_or("", String::as_str);
        let path = format!("{PATH}.{name}");
        if FOREIGN.contains(&name) {
            let what = format!("the backend {name} is not part of this build");
            return Problem::new(path, what, format!("use one of {}", supported()));
        }
        let what = format!("there is no backend named {name:?}");
        let known = Self::FIELDS.iter().chain(&FOREIGN).copied();
        let advice = match nearest(name, known) {
            Some(meant) => format!("did you mean {meant}?"),
            None => format!("use one of {}", supported()),
        };
        Problem::new(path, what, advice)
    }

    fn several_problem(&self) -> Problem {
        let known = self.known().into_iter().map(|choice| choice.field());
        let names: Vec<&str> = known.chain(self.other.keys().map(String::as_str)).collect();
        let what = format!("names {} backends ({})", names.len(), names.join(", "));
        Problem::new(PATH, what, "keep one and move the others to stores of their own")
    }
}

impl ProviderRef<'_> {
    fn under_its_path(&self, problems: Vec<Problem>) -> Vec<Problem> {
        let path = format!("{PATH}.{}", self.field());
        problems.into_iter().map(|problem| problem.under(&path)).collect()
    }
}

fn supported() -> String {
    Provider::FIELDS.join(", ")
}

/// Backends of the Go operator, past and present, that this build lacks.
const FOREIGN: [&str; 42] = [
    "akeyless",
    "alibaba",
    "azurekv",
    "barbican",
    "beyondtrust",
    "beyondtrustworkloadcredentials",
    "bitwardensecretsmanager",
    "chef",
    "cloudrusm",
    "conjur",
    "crd",
    "delinea",
    "device42",
    "doppler",
    "dvls",
    "fortanix",
    "gcpsm",
    "github",
    "gitlab",
    "ibm",
    "infisical",
    "keepersecurity",
    "kubernetes",
    "nebiusmysterybox",
    "ngrok",
    "onboardbase",
    "onepassword",
    "onepasswordSDK",
    "openBao",
    "oracle",
    "ovh",
    "passbolt",
    "passworddepot",
    "previder",
    "pulumi",
    "scaleway",
    "secretserver",
    "senhasegura",
    "volcengine",
    "webhook",
    "yandexcertificatemanager",
    "yandexlockbox",
];
