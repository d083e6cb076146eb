rule Hex_With_Everything {
    meta:
        author = "Ringfence authors"
        description = "Hex With Everything"
        severity = "high"
        action = "block"
        technique = "T1059"
        reference = "https://attack.mitre.org/techniques/T1059/"
        licence = "Apache-2.0"
    strings:
        $name = { 7F 45 4C 46 /* ELF } */ 0? [2-6] ( 61 62 63 | 64 ?? ) ~00 // a byte that is not zero }
                  DE AD BE EF 01 02 03 04 }
    condition:
        $name
}
