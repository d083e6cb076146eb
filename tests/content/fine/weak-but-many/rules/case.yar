rule Weak_But_Many {
    meta:
        author = "Ringfence authors"
        description = "Weak But Many"
        severity = "high"
        action = "block"
        technique = "T1059"
        reference = "https://attack.mitre.org/techniques/T1059/"
        licence = "Apache-2.0"
    strings:
        $w0 = "chmod"
        $w1 = "curl"
        $w2 = "wget"
        $w3 = "tmp"
        $w4 = "bash"
        $w5 = "exec"
        $w6 = "kill"
        $w7 = "nohup"
        $w8 = "cron"
    condition:
        all of them
}
