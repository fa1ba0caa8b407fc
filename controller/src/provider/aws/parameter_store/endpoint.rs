//! Where Parameter Store is.

use aws_sdk_sts::config::endpoint::{DefaultResolver, Params, ResolveEndpoint};

use super::super::Reach;
use crate::error::{Code, Error};

/// The address of the service in a region, from the SDK's table: STS's are built by the same rules.
pub async fn address(region: &str, reach: &Reach) -> Result<String, Error> {
    let problem = |what: String| Error::fix(Code::StoreInvalid, format!("region {region}: {what}"));
    let params = Params::builder().region(region.to_owned()).use_fips(reach.fips).use_dual_stack(reach.dual_stack);
    let params = params.build().map_err(|error| problem(error.to_string()))?;
    let resolver = DefaultResolver::new();
    let endpoint = ResolveEndpoint::resolve_endpoint(&resolver, &params).await;
    let endpoint = endpoint.map_err(|error| problem(error.to_string()))?;
    Ok(endpoint.url().replacen("//sts", "//ssm", 1))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn addresses_are_those_of_aws() {
        let reach = |fips, dual_stack| Reach { fips, dual_stack, ..Reach::default() };
        let table = [
            ("eu-central-1", reach(false, false), "https://ssm.eu-central-1.amazonaws.com"),
            ("cn-north-1", reach(false, false), "https://ssm.cn-north-1.amazonaws.com.cn"),
            ("us-iso-east-1", reach(false, false), "https://ssm.us-iso-east-1.c2s.ic.gov"),
            ("us-east-1", reach(true, false), "https://ssm-fips.us-east-1.amazonaws.com"),
            ("us-east-1", reach(true, true), "https://ssm-fips.us-east-1.api.aws"),
            ("eu-west-1", reach(false, true), "https://ssm.eu-west-1.api.aws"),
            ("us-gov-west-1", reach(true, false), "https://ssm.us-gov-west-1.amazonaws.com"),
            ("us-gov-west-1", reach(false, false), "https://ssm.us-gov-west-1.amazonaws.com"),
        ];
        for (region, reach, expected) in table {
            assert_eq!(address(region, &reach).await.unwrap(), expected, "{reach:?}");
        }
    }
}
