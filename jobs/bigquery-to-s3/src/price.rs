//! What a plan's PUTs cost. Of all that S3 charges for, only they grow with every row that is written; DELETE is free.

/// US dollars for 1,000 PUTs to S3 Standard. Source: the AWS Price List, as quoted publicly from the offer file
/// `AmazonS3/current/{region}`, usage type `Requests-Tier1`, at the date given. Before tax and discounts.
const PUTS_USD: [(&str, f64); 8] = [
    ("ap-northeast-1", 0.0047), // 2026-09-09
    ("ap-northeast-2", 0.0045), // 2026-09-28
    ("ap-southeast-1", 0.005),  // 2026-07
    ("ap-southeast-2", 0.0055), // 2026-08-31
    ("ap-southeast-3", 0.005),  // 2026-09-18
    ("eu-central-1", 0.0054),   // 2026-08-31
    ("eu-west-1", 0.005),       // 2026-09-06
    ("us-east-1", 0.005),       // 2026-07-01
];

/// None for a region whose price is not known here: better no figure than a wrong one.
#[allow(clippy::cast_precision_loss)] // a count of requests is far below 2^52
pub fn put_price_usd(region: &str, puts: u64) -> Option<f64> {
    let (_, thousand) = PUTS_USD.iter().find(|(name, _)| *name == region)?;
    Some(puts as f64 / 1_000.0 * thousand)
}

/// For the plan: `$23.50 for PUTs in ap-northeast-1`.
pub fn put_price(region: &str, puts: u64) -> String {
    match put_price_usd(region, puts) {
        // Not `$0.00`, which reads as free.
        Some(usd) if puts > 0 && usd < 0.01 => format!("less than $0.01 for PUTs in {region}"),
        Some(usd) => format!("${usd:.2} for PUTs in {region}"),
        None => format!("the price of PUTs in {region} is not known here, see https://aws.amazon.com/s3/pricing/"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn five_million_objects_in_tokyo_cost_what_the_documents_say() {
        let month = |puts: u64| put_price("ap-northeast-1", 30 * puts);
        assert_eq!(put_price("ap-northeast-1", 5_000_000), "$23.50 for PUTs in ap-northeast-1");
        assert_eq!(month(5_000_000), "$705.00 for PUTs in ap-northeast-1");
        assert_eq!(month(250_000), "$35.25 for PUTs in ap-northeast-1");
        assert_eq!(month(4_096), "$0.58 for PUTs in ap-northeast-1");
    }

    #[test]
    fn a_price_is_of_its_region() {
        assert_eq!(put_price("eu-central-1", 1_000_000), "$5.40 for PUTs in eu-central-1");
        assert_eq!(put_price("ap-southeast-2", 1_000_000), "$5.50 for PUTs in ap-southeast-2");
    }

    #[test]
    fn a_region_without_a_known_price_has_none() {
        assert_eq!(put_price_usd("mars-north-1", 1), None);
        assert_eq!(
            put_price("mars-north-1", 1),
            "the price of PUTs in mars-north-1 is not known here, see https://aws.amazon.com/s3/pricing/"
        );
    }

    #[test]
    fn a_price_below_a_cent_does_not_read_as_free() {
        assert_eq!(put_price("us-east-1", 1), "less than $0.01 for PUTs in us-east-1");
        assert_eq!(put_price("us-east-1", 0), "$0.00 for PUTs in us-east-1");
    }

    #[test]
    fn every_region_is_there_once_with_a_price_for_a_thousand() {
        assert!(PUTS_USD.is_sorted_by(|(a, _), (b, _)| a < b), "sorted, so that a second entry is seen");
        // A price for 10,000 or for one would be a slip of the table.
        assert!(PUTS_USD.iter().all(|(_, usd)| (0.004..0.01).contains(usd)));
    }
}
