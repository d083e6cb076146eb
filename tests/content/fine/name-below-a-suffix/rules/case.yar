rule Name_Below_A_Suffix {
    meta:
        author = "Ringfence authors"
        description = "Name Below A Suffix"
        severity = "high"
        action = "block"
        technique = "T1059"
        reference = "https://attack.mitre.org/techniques/T1059/"
        licence = "Apache-2.0"
    strings:
        $name = "xk3m9q-dropper.github.io"
    condition:
        $name
}
