// Coin miners and what installs them.

rule Miner_XMRig_Binary {
    meta:
        author = "Ringfence authors"
        description = "The XMRig coin miner"
        severity = "high"
        action = "block"
        technique = "T1496"
        reference = "https://github.com/xmrig/xmrig"
        licence = "Apache-2.0"
    strings:
        $a = "donate.v2.xmrig.com"
        $b = "donate.ssl.xmrig.com"
        $c = "xmrig.com/docs/algorithms"
        $d = "--donate-level=N"
        $e = "rx/wow"
        $f = "cryptonight-monerov7"
    condition:
        uint32(0) == 0x464c457f and 3 of them
}

rule Miner_XMRig_Configuration {
    meta:
        author = "Ringfence authors"
        description = "Configuration of the XMRig miner"
        severity = "medium"
        action = "alert"
        technique = "T1496"
        reference = "https://xmrig.com/docs/miner/config"
        licence = "Apache-2.0"
    strings:
        $a = "\"donate-level\""
        $b = "\"randomx\""
        $c = "\"rig-id\""
        $d = "\"pools\""
        $e = "\"nicehash\""
        $f = "\"cpu-max-threads-hint\""
        $g = "\"max-threads-hint\""
    condition:
        filesize < 64KB and 4 of them
}

rule Miner_Stratum_Script {
    meta:
        author = "Ringfence authors"
        description = "A script that fetches and starts a miner"
        severity = "high"
        action = "alert"
        technique = "T1496"
        reference = "https://attack.mitre.org/techniques/T1496/"
        licence = "Apache-2.0"
    strings:
        $pool = /stratum(\+|2\+)(tcp|ssl|tls):\/\/[A-Za-z0-9.-]{3,64}:[0-9]{2,5}/
        $fetch = /\b(curl|wget)\b/
        $start = /\b(nohup|chmod\s{1,4}(\+x|[0-7]{3})|setsid)\b/
    condition:
        uint16(0) == 0x2123 and filesize < 256KB and all of them
}

rule Miner_Kills_Rivals {
    meta:
        author = "Ringfence authors"
        description = "A script that kills the miners of others"
        severity = "high"
        action = "block"
        technique = "T1562"
        reference = "https://attack.mitre.org/techniques/T1562/"
        licence = "Apache-2.0"
    strings:
        $a = /(pkill|killall|kill)[^\n]{0,60}kdevtmpfsi/
        $b = /(pkill|killall|kill)[^\n]{0,60}kinsing/
        $c = /(pkill|killall|kill)[^\n]{0,60}watchbog/
        $d = /(pkill|killall|kill)[^\n]{0,60}xmrig/
        $e = /(pkill|killall|kill)[^\n]{0,60}minerd/
        $f = /(pkill|killall|kill)[^\n]{0,60}sysrv/
        $g = /(pkill|killall|kill)[^\n]{0,60}cryptonight/
        $h = /(pkill|killall|kill)[^\n]{0,60}ddgs/
    condition:
        uint16(0) == 0x2123 and filesize < 512KB and 3 of them
}

rule Miner_Wallet_Script {
    meta:
        author = "Ringfence authors"
        description = "A script with a Monero wallet and a pool or miner"
        severity = "high"
        action = "alert"
        technique = "T1496"
        reference = "https://attack.mitre.org/techniques/T1496/"
        licence = "Apache-2.0"
    strings:
        $wallet = /\b4[0-9AB][1-9A-HJ-NP-Za-km-z]{93}\b/
        $a = "pool" nocase
        $b = "xmrig" nocase
        $c = "monero" nocase
        $d = "stratum"
    condition:
        uint16(0) == 0x2123 and filesize < 256KB and $wallet and any of ($a, $b, $c, $d)
}
