rule One_Letter {
    meta:
        author = "Ringfence authors"
        description = "One Letter"
        severity = "high"
        action = "block"
        technique = "T1059"
        reference = "https://attack.mitre.org/techniques/T1059/"
        licence = "Apache-2.0"
    strings:
        $a = { 00 }
    condition:
        #a > 100000
}
