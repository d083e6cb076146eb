rule Code_In_Texts {
    meta:
        author = "Ringfence authors"
        description = "Code In Texts"
        severity = "high"
        action = "block"
        technique = "T1059"
        reference = "https://attack.mitre.org/techniques/T1059/"
        licence = "Apache-2.0"
    strings:
        $name = "rule x { condition: \"true\" } // not /* one */ \x41\t\\ // }"
    condition:
        $name
}
