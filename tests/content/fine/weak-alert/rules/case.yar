rule Weak_Alert {
    meta:
        author = "Ringfence authors"
        description = "Weak Alert"
        severity = "high"
        action = "alert"
        technique = "T1059"
        reference = "https://attack.mitre.org/techniques/T1059/"
        licence = "Apache-2.0"
    strings:
        $a = "q~z"
    condition:
        $a
}
