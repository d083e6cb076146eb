rule Address_In_A_Url {
    meta:
        author = "Ringfence authors"
        description = "Address In A Url"
        severity = "high"
        action = "block"
        technique = "T1059"
        reference = "https://attack.mitre.org/techniques/T1059/"
        licence = "Apache-2.0"
    strings:
        $name = "http://10.0.0.1/dropper-7f3a/install.sh"
    condition:
        $name
}
