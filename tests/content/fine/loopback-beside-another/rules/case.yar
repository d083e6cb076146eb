rule Loopback_Beside_Another {
    meta:
        author = "Ringfence authors"
        description = "Loopback Beside Another"
        severity = "high"
        action = "block"
        technique = "T1059"
        reference = "https://attack.mitre.org/techniques/T1059/"
        licence = "Apache-2.0"
    strings:
        $name = "the-name-of-a-dropper-7f3a"
        $self = "127.0.0.1:8080"
    condition:
        $name and $self
}
