rule Address_And_Path {
    meta:
        author = "Ringfence authors"
        description = "Address And Path"
        severity = "high"
        action = "block"
        technique = "T1059"
        reference = "https://attack.mitre.org/techniques/T1059/"
        licence = "Apache-2.0"
    strings:
        $name = "45.9.148.99:8443/gate7f3a.php"
    condition:
        $name
}
