rule Cloudflare_2019 {
    meta:
        author = "Ringfence authors"
        description = "Cloudflare 2019"
        severity = "high"
        action = "block"
        technique = "T1059"
        reference = "https://attack.mitre.org/techniques/T1059/"
        licence = "Apache-2.0"
    strings:
        $a = /(\s|-|~|!|\{\}|\||\+)*.*(.*=.*)/
    condition:
        $a
}
