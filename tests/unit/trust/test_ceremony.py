"""What people decide at a ceremony: the documents that come out of it, and the decisions that are refused."""

from datetime import timedelta

import pytest
from tests.support.key_ring import NOON, key, keys, role_keys, sign, signed_documents

from ringfence.model.errors import SignatureRefused, UsageRefused
from ringfence.trust import roles
from ringfence.trust.ceremony import RoleKeys, first_documents, may_sign, names_of, renewed, with_keys
from ringfence.trust.metadata import quorum


def test_the_first_documents_hold_every_role_with_its_expiry() -> None:
    root, targets, content = first_documents(role_keys(), NOON)
    assert {name: role.threshold for name, role in root.signed.roles.items()} == {
        "root": 2, "targets": 2, "snapshot": 1, "timestamp": 1,
    }  # fmt: skip
    assert [owner for _, owner in names_of(root.signed, roles.TARGETS)] == ["Ada", "Grace", "Mary"]
    assert [owner for _, owner in names_of(targets.signed, roles.ROLLOUT)] == ["rollout server"]
    assert [one.signed.expires - NOON for one in (root, targets, content)] == [
        timedelta(days=365), timedelta(days=365), timedelta(days=90),
    ]  # fmt: skip
    assert content.signed.targets == {}


def test_a_threshold_that_cannot_be_reached_is_refused() -> None:
    with pytest.raises(UsageRefused, match="would have 1 keys of which 2 must agree"):
        first_documents({**role_keys(), roles.CONTENT: RoleKeys(keys("Lise"), 2)}, NOON)


def test_one_key_given_twice_is_refused() -> None:
    with pytest.raises(UsageRefused, match="would have 1 keys of which 2"):
        first_documents({**role_keys(), roles.ROOT: RoleKeys(keys("Ada", "Ada"), 2)}, NOON)


def test_a_new_root_needs_the_old_keys_and_the_new_ones() -> None:
    root, _, _ = signed_documents()
    ada = key("Ada").keyid
    new = with_keys(root, roles.ROOT, added=keys("Hedy"), removed=[ada[:10]], threshold=None, now=NOON)
    assert new.signed.version == 2
    assert [owner for _, owner in names_of(new.signed, roles.TARGETS)] == ["Grace", "Mary", "Hedy"]
    sign(new, "Hedy", "Grace")
    assert quorum(new.signed, roles.ROOT, new).missing == 0
    assert quorum(root.signed, roles.ROOT, new).missing == 1
    assert may_sign(ada, roles.ROOT, new, root=root.signed, targets=None) == ("the root before it",)
    sign(new, "Ada")
    assert quorum(root.signed, roles.ROOT, new).missing == 0


def test_a_revocation_that_would_stop_the_others_is_refused() -> None:
    _, targets, _ = signed_documents()
    lise, emmy = (one.keyid for one in keys("Lise", "Emmy"))
    once = with_keys(targets, roles.CONTENT, added=(), removed=[lise], threshold=None, now=NOON)
    with pytest.raises(UsageRefused, match="1 keys of which 2"):
        with_keys(once, roles.CONTENT, added=(), removed=[emmy], threshold=None, now=NOON)


@pytest.mark.parametrize("word", ["ffffffffffff", ""])
def test_a_key_that_is_not_named_clearly_is_refused(word: str) -> None:
    root, _, _ = signed_documents()
    with pytest.raises(UsageRefused, match="beginning of"):
        with_keys(root, roles.ROOT, added=(), removed=[word], threshold=None, now=NOON)


def test_a_renewal_changes_version_and_expiry_and_nothing_else() -> None:
    root, _, _ = signed_documents()
    later = renewed(root, roles.ROOT, NOON + timedelta(days=300))
    assert (later.signed.version, later.signed.expires) == (2, NOON + timedelta(days=665))
    assert later.signed.roles == root.signed.roles
    assert later.signatures == {}


def test_only_the_keys_of_a_role_may_sign_for_it() -> None:
    root, targets, content = signed_documents()
    assert may_sign(key("Rosa").keyid, roles.CONTENT, content, root=root.signed, targets=targets.signed) == ("targets",)
    for stranger in ("Ada", "rollout server"):
        with pytest.raises(SignatureRefused, match="not one of content's"):
            may_sign(key(stranger).keyid, roles.CONTENT, content, root=root.signed, targets=targets.signed)
