//! What this computer is called on the local network, for the server certificate.

use std::collections::BTreeSet;
use std::fs;
use std::net::{Ipv4Addr, Ipv6Addr};

/// Host name, its mDNS name, loopback, the local addresses and what the configuration adds; sorted.
pub fn server_names(configured: &[String]) -> Vec<String> {
    let mut names: BTreeSet<String> =
        ["localhost", "127.0.0.1", "::1"].into_iter().map(str::to_owned).collect();
    let host = fs::read_to_string("/proc/sys/kernel/hostname").unwrap_or_default();
    let host = host.trim().to_lowercase();
    let is_name = |c: char| c.is_ascii_alphanumeric() || c == '-' || c == '.';
    if !host.is_empty() && host != "localhost" && host.chars().all(is_name) {
        let short = host.split('.').next().unwrap_or(&host);
        names.insert(format!("{short}.local"));
        names.insert(host);
    }
    let ipv4 = fs::read_to_string("/proc/net/fib_trie").unwrap_or_default();
    names.extend(local_ipv4(&ipv4).iter().map(Ipv4Addr::to_string));
    let ipv6 = fs::read_to_string("/proc/net/if_inet6").unwrap_or_default();
    names.extend(local_ipv6(&ipv6).iter().map(Ipv6Addr::to_string));
    names.extend(configured.iter().cloned());
    names.into_iter().collect()
}

/// The kernel's routing trie names an address, and in the next line what it is.
fn local_ipv4(trie: &str) -> Vec<Ipv4Addr> {
    let mut found = Vec::new();
    let mut last: Option<Ipv4Addr> = None;
    for line in trie.lines().map(str::trim) {
        if let Some(address) = line.strip_prefix("|-- ") {
            last = address.parse().ok();
        } else if line == "/32 host LOCAL" {
            found.extend(last);
        }
    }
    found.retain(|address: &Ipv4Addr| !address.is_loopback());
    found.sort_unstable();
    found.dedup();
    found
}

fn local_ipv6(list: &str) -> Vec<Ipv6Addr> {
    let address = |line: &str| u128::from_str_radix(line.split_whitespace().next()?, 16).ok();
    let is_useful = |address: &Ipv6Addr| !address.is_loopback() && !address.is_unicast_link_local();
    list.lines().filter_map(address).map(Ipv6Addr::from).filter(is_useful).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn local_addresses_are_found_in_what_the_kernel_says() {
        let trie = "Main:\n  +-- 0.0.0.0/0 3 0 5\n     |-- 0.0.0.0\n        /0 universe UNICAST\n     \
                    |-- 192.168.1.7\n        /32 host LOCAL\n     |-- 192.168.1.255\n        /32 link \
                    BROADCAST\n     |-- 127.0.0.1\n        /32 host LOCAL\n     |-- 192.168.1.7\n        \
                    /32 host LOCAL\n";
        let list = "fd000000000000000000000000000007 02 40 00 80     eth0\n\
                    fe80000000000000000000000000000a 02 40 20 80     eth0\n\
                    00000000000000000000000000000001 01 80 10 80       lo\n";

        assert_eq!(local_ipv4(trie), [Ipv4Addr::new(192, 168, 1, 7)]);
        assert_eq!(local_ipv6(list), ["fd00::7".parse::<Ipv6Addr>().unwrap()]);
    }

    #[test]
    fn loopback_and_configured_names_are_always_there() {
        let names = server_names(&["gym.example".to_owned()]);

        for name in ["localhost", "127.0.0.1", "gym.example"] {
            assert!(names.contains(&name.to_owned()), "{name} is missing in {names:?}");
        }
    }
}
