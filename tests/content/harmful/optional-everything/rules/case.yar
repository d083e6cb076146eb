rule Optional_Everything {
    meta:
        author = "Ringfence authors"
        description = "Optional Everything"
        severity = "high"
        action = "block"
        technique = "T1059"
        reference = "https://attack.mitre.org/techniques/T1059/"
        licence = "Apache-2.0"
    strings:
        $a = /ab(cdefgh)?(ijkl)*[a-z]{0,40}/
    condition:
        $a
}
