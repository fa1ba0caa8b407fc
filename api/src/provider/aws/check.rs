//! What is wrong with an AWS block.

use super::{Aws, AwsService, Check, Problem, Scope};
use crate::nearest::nearest;
use crate::provider::selector::{self, Key};

impl Check for Aws {
    fn problems(&self, scope: &Scope) -> Vec<Problem> {
        let mut problems = self.upstream_problems(scope);
        problems.extend(self.region_problem());
        problems.extend(self.auth_problems());
        problems.extend(self.not_possible());
        problems
    }

    fn warnings(&self) -> Vec<Problem> {
        let mut warnings = Vec::new();
        if self.region_problem().is_none() && !REGIONS.contains(&self.region.as_str()) {
            let meant = nearest(&self.region, REGIONS.iter().copied());
            let advice = meant.map_or_else(String::new, |region| format!("did you mean {region}?"));
            warnings.push(Problem::new("region", format!("{:?} is not a region known here", self.region), advice));
        }
        if self.auth.jwt.is_some() && self.auth.secret_ref.is_some() {
            warnings.push(Problem::new("auth.secretRef", "is ignored beside auth.jwt", "keep one of them"));
        }
        warnings
    }
}

impl Aws {
    /// What the Go operator refuses, too.
    fn upstream_problems(&self, scope: &Scope) -> Vec<Problem> {
        let mut problems = self.deletion_problems();
        if let Some(auth) = &self.auth.secret_ref {
            for (name, selector) in [
                ("accessKeyIDSecretRef", &auth.access_key_id_secret_ref),
                ("secretAccessKeySecretRef", &auth.secret_access_key_secret_ref),
                ("sessionTokenSecretRef", &auth.session_token_secret_ref),
            ] {
                let path = format!("auth.secretRef.{name}");
                problems.extend(selector::secret(&path, selector.as_ref(), Key::Needed, scope));
            }
        }
        let account = self.auth.jwt.as_ref().and_then(|jwt| jwt.service_account_ref.as_ref());
        problems.extend(selector::service_account("auth.jwt.serviceAccountRef", account, scope));
        problems
    }

    fn deletion_problems(&self) -> Vec<Problem> {
        const PATH: &str = "secretsManager.recoveryWindowInDays";
        let Some(options) = &self.secrets_manager else { return Vec::new() };
        // Zero is how the Go operator writes "not set".
        let Some(days) = options.recovery_window_in_days.filter(|days| *days != 0) else { return Vec::new() };
        let mut problems = Vec::new();
        if !(7..=30).contains(&days) {
            problems.push(Problem::new(PATH, format!("{days} days are not possible"), "write 7 to 30"));
        }
        if options.force_delete_without_recovery {
            problems.push(Problem::new(PATH, "contradicts forceDeleteWithoutRecovery", "keep one of them"));
        }
        problems
    }

    /// A region is part of a host name. One that is merely unknown is a warning: AWS adds regions.
    fn region_problem(&self) -> Option<Problem> {
        let possible = !self.region.is_empty()
            && self.region.len() <= 32
            && self.region.bytes().all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-');
        (!possible).then(|| {
            let what =
                if self.region.is_empty() { "is empty".to_owned() } else { format!("{:?} is no region", self.region) };
            Problem::new("region", what, "write one such as eu-central-1")
        })
    }

    /// Ways to sign in that are begun but not finished.
    fn auth_problems(&self) -> Vec<Problem> {
        let mut problems = Vec::new();
        if let Some(auth) = &self.auth.secret_ref {
            for (name, selector) in [
                ("accessKeyIDSecretRef", &auth.access_key_id_secret_ref),
                ("secretAccessKeySecretRef", &auth.secret_access_key_secret_ref),
            ] {
                if selector.is_none() {
                    let path = format!("auth.secretRef.{name}");
                    problems.push(Problem::new(path, "is missing", "an access key needs both its ID and its secret"));
                }
            }
        }
        if self.auth.jwt.as_ref().is_some_and(|jwt| jwt.service_account_ref.is_none()) {
            problems.push(Problem::new("auth.jwt.serviceAccountRef", "is missing", "name the ServiceAccount"));
        }
        problems
    }

    /// What this build cannot do.
    fn not_possible(&self) -> Option<Problem> {
        let is_it = self.service == AwsService::CertificateManager;
        is_it.then(|| {
            let what = "CertificateManager is not supported by this build";
            Problem::new("service", what, "write SecretsManager or ParameterStore")
        })
    }
}

/// Regions of all partitions.
const REGIONS: [&str; 45] = [
    "af-south-1",
    "ap-east-1",
    "ap-east-2",
    "ap-northeast-1",
    "ap-northeast-2",
    "ap-northeast-3",
    "ap-south-1",
    "ap-south-2",
    "ap-southeast-1",
    "ap-southeast-2",
    "ap-southeast-3",
    "ap-southeast-4",
    "ap-southeast-5",
    "ap-southeast-6",
    "ap-southeast-7",
    "ca-central-1",
    "ca-west-1",
    "cn-north-1",
    "cn-northwest-1",
    "eu-central-1",
    "eu-central-2",
    "eu-isoe-west-1",
    "eu-north-1",
    "eu-south-1",
    "eu-south-2",
    "eu-west-1",
    "eu-west-2",
    "eu-west-3",
    "eusc-de-east-1",
    "il-central-1",
    "me-central-1",
    "me-south-1",
    "mx-central-1",
    "sa-east-1",
    "us-east-1",
    "us-east-2",
    "us-gov-east-1",
    "us-gov-west-1",
    "us-iso-east-1",
    "us-iso-west-1",
    "us-isob-east-1",
    "us-isob-west-1",
    "us-isof-east-1",
    "us-west-1",
    "us-west-2",
];
