//! The address that an NTAG 424 DNA makes anew at each reading: where in it number, counter and proof are.

use crate::credential::Credential;

/// Names of the parameters in the address.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SunNames {
    /// Encrypted number and counter, 32 hexadecimal digits.
    pub picc_data: String,
    /// Encrypted file data, which not every card has.
    pub enc: String,
    /// The proof, 16 hexadecimal digits.
    pub cmac: String,
}

impl Default for SunNames {
    fn default() -> Self {
        Self { picc_data: "picc_data".into(), enc: "enc".into(), cmac: "cmac".into() }
    }
}

impl SunNames {
    /// The message in `address`; `None` if it is not one of our cards'. Nothing is proven by that.
    pub fn read(&self, address: &str) -> Option<Credential> {
        let (_, query) = address.split_once('?')?;
        let query = query.split('#').next()?;
        let value = |name: &str| {
            let of_name = |pair: &str| Some(pair.split_once('=')?.1.to_owned());
            query.split('&').find(|pair| pair.split('=').next() == Some(name)).and_then(of_name)
        };
        let mut picc_data = [0; 16];
        hex::decode_to_slice(value(&self.picc_data)?, &mut picc_data).ok()?;
        let mut cmac = [0; 8];
        hex::decode_to_slice(value(&self.cmac)?, &mut cmac).ok()?;
        let enc = value(&self.enc).map(hex::decode).transpose().ok()?;
        if enc.as_ref().is_some_and(|enc| !matches!(enc.len(), 16 | 32 | 48 | 64)) {
            return None;
        }
        Some(Credential::Sun { picc_data, enc, cmac })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const PICC: &str = "EF963FF7828658A599F3041510671E88";
    const CMAC: &str = "94EED9EE65337086";

    fn read(query: &str) -> Option<(Vec<u8>, Option<usize>)> {
        match SunNames::default().read(&format!("https://gym.example/t?{query}"))? {
            Credential::Sun { picc_data, enc, .. } => {
                Some((picc_data.to_vec(), enc.map(|enc| enc.len())))
            }
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn parameters_are_found_in_any_order_and_case() {
        let picc = hex::decode(PICC).unwrap();
        let lower = format!("cmac={}&picc_data={}", CMAC.to_lowercase(), PICC.to_lowercase());

        assert_eq!(read(&format!("picc_data={PICC}&cmac={CMAC}")), Some((picc.clone(), None)));
        assert_eq!(read(&format!("{lower}&enc={PICC}#x")), Some((picc, Some(16))));
    }

    #[test]
    fn parameters_that_are_missing_or_misshapen_are_no_message() {
        assert_eq!(read(&format!("picc_data={PICC}")), None);
        assert_eq!(read(&format!("picc_data={}&cmac={CMAC}", &PICC[2..])), None);
        assert_eq!(read(&format!("picc_data={PICC}&enc=00&cmac={CMAC}")), None);
        assert_eq!(read(&format!("xpicc_data={PICC}&cmac={CMAC}")), None);
        assert_eq!(SunNames::default().read("https://gym.example"), None);
    }

    #[test]
    fn names_can_be_set() {
        let names = SunNames { picc_data: "p".into(), enc: "e".into(), cmac: "c".into() };

        assert!(names.read(&format!("https://x/?p={PICC}&c={CMAC}")).is_some());
        assert!(names.read(&format!("https://x/?picc_data={PICC}&cmac={CMAC}")).is_none());
    }
}
