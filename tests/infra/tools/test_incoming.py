"""Files that people have: what comes in of them, and what is said of what does not."""

import io
from collections.abc import Callable
from functools import partial
from pathlib import Path

import pytest
import xlsxwriter

from infra.errors import LocalError, UsageError
from infra.tools import importer, incoming, parts, sheets
from infra.tools.incoming import Choices
from shared.tables import accounts
from tests.functions.shop import Shop

AS_OF = Choices(as_of="2026-01-31", expires_on="never")
SHOPIFY = (
    "Customer ID,First Name,Last Name,Email,Accepts Email Marketing,Accepts SMS Marketing,Note,Tax Exempt,Tags\r\n"
    '\'6712,Ada,Example,ada@example.org,yes,no,likes tea,no,"VIP, Tea Club"\r\n'
)
SQUARE = (
    "Reference ID,First Name,Last Name,Phone Number,Email Address,Loyalty Program Status,Points Balance,Enrolled On\n"
    ',Ada,Example,(202) 555-0111,ada@example.org,Enrolled,"1,240",11/20/2024\n'
    ",Bo,,,bo@example.org,Enrolled,0,11/21/2024\n"
)

Come = Callable[..., list[importer.Result]]


@pytest.fixture
def come(shop: Shop, tmp_path: Path) -> Come:
    """Import a file of this text, or of these bytes."""

    def come(
        text: str | bytes, choices: Choices = AS_OF, name: str = "theirs.csv", *, dry_run: bool = False
    ) -> list[importer.Result]:
        path = tmp_path / name
        path.write_bytes(text if isinstance(text, bytes) else text.encode())
        files = incoming.ready(incoming.look(path, choices), tmp_path)
        with parts.unkept(shop.now) as run:
            bring_in = partial(importer.bring_in, run=run, dry_run=dry_run, members_come=dry_run)
            return [bring_in(file.path, may_be_members=file.is_opening) for file in files]

    return come


def look(folder: Path, text: str | bytes, choices: Choices = AS_OF, name: str = "theirs.csv") -> incoming.Incoming:
    path = folder / name
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    return incoming.look(path, choices)


def told(result: importer.Result) -> list[tuple[int, str]]:
    return [(one.line, one.reason) for one in result.bad_lines]


def workbook(*rows: list[object]) -> bytes:
    """A sheet of Excel."""
    kept = io.BytesIO()
    with xlsxwriter.Workbook(kept, {"in_memory": True}) as book:
        sheet = book.add_worksheet()
        for number, row in enumerate(rows):
            sheet.write_row(number, 0, row)
    return kept.getvalue()


class TestCustomersOfAShopSystem:
    def test_they_become_members_with_what_they_agreed_to(self, shop: Shop, come: Come) -> None:
        [result] = come(SHOPIFY)
        assert (result.new, told(result)) == (1, [])
        found = shop.post("/v1/members/lookup", {"external_id": "6712"}).body
        member = shop.get(f"/v1/members/{found['member_id']}").body
        assert (member["name"], member["email"]) == ("Ada Example", "ada@example.org")
        assert accounts.load_account(found["member_id"]).account.traits.tags == ("tea-club", "vip")
        assert member["consent"]["marketing"] == {"email": True, "sms": False}

    def test_what_is_left_out_is_said(self, tmp_path: Path) -> None:
        notes = "\n".join(look(tmp_path, SHOPIFY).notes)
        assert "customers of Shopify" in notes
        assert "left out: Note, Tax Exempt" in notes

    def test_since_when_they_are_members_is_not_guessed(self, tmp_path: Path) -> None:
        with pytest.raises(UsageError, match=r"since when they are members: add --as-of"):
            look(tmp_path, SHOPIFY, Choices())


class TestBalances:
    def test_a_plain_balance_brings_whoever_has_it_and_their_points(self, shop: Shop, come: Come) -> None:
        members, points = come("Email,Points Balance\nb17@example.org,120\n")
        assert (members.new, points.new, points.points) == (1, 1, 120)
        member_id = shop.post("/v1/members/lookup", {"email": "b17@example.org"}).body["member_id"]
        account = shop.get(f"/v1/members/{member_id}/account").body
        assert account["balance"] == 120

    def test_a_member_stays_as_they_are_and_has_the_points(self, shop: Shop, come: Come) -> None:
        ada = shop.enroll(external_id="ada", email="ada@example.org", name="Ada Lovelace")
        before = shop.get(f"/v1/members/{ada}/account").body["balance"]
        members, points = come(SQUARE)
        assert (members.new, members.before, points.new) == (1, 1, 1)
        assert shop.get(f"/v1/members/{ada}").body["name"] == "Ada Lovelace"
        assert shop.get(f"/v1/members/{ada}/account").body["balance"] == before + 1240

    def test_a_second_run_brings_nothing_twice_and_another_balance_is_refused(self, come: Come) -> None:
        come(SQUARE)
        _, again = come(SQUARE)
        assert (again.new, again.before) == (0, 1)
        _, other = come(SQUARE.replace("1,240", "1,250"))
        [(line, reason)] = told(other)
        assert line == 2
        assert "with other details" in reason

    def test_a_dry_run_counts_the_points_of_people_who_would_come(self, shop: Shop, come: Come) -> None:
        members, points = come(SQUARE, dry_run=True)
        assert (members.new, points.new, points.points, told(points)) == (2, 1, 1240, [])
        assert shop.post("/v1/members/lookup", {"email": "bo@example.org"}).status == 404

    def test_until_when_points_live_is_not_guessed(self, tmp_path: Path) -> None:
        with pytest.raises(UsageError, match=r"until when the points can be spent: add --expires-on"):
            look(tmp_path, "Email,Points Balance\nb17@example.org,120\n", Choices(as_of="2026-01-31"))


class TestWritten:
    @pytest.mark.parametrize("encoding", ["utf-8-sig", "utf-16", "cp1252"])
    def test_semicolons_german_days_and_any_encoding(self, shop: Shop, come: Come, encoding: str) -> None:
        text = "external_id;email;name;enrolled_at;birthday\r\n17;joerg@example.de;Jörg Müßig;20.11.2024;29.02.\r\n"
        [result] = come(text.encode(encoding))
        assert (result.new, told(result)) == (1, [])
        found = shop.post("/v1/members/lookup", {"external_id": "17"}).body
        member = shop.get(f"/v1/members/{found['member_id']}").body
        assert (member["name"], member["birthday"]) == ("Jörg Müßig", "02-29")

    @pytest.mark.parametrize("mark", [",", ";"])
    def test_a_hint_of_excel_is_no_header_and_lines_keep_their_numbers(self, come: Come, mark: str) -> None:
        [result] = come(f"sep={mark}\r\nexternal_id,enrolled_at\r\n17,2024-11-20\r\n18,never\r\n".replace(",", mark))
        assert [line for line, _ in told(result)] == [4]

    def test_a_sheet_of_excel(self, come: Come) -> None:
        rows = workbook(
            ["E-mail", "Name", "Points"], ["ada@example.org", "Ada", 120], [], ["bo@example.org", "Bo", 7.5]
        )
        members, points = come(rows, name="theirs.xlsx")
        assert members.new == 2
        assert [line for line, _ in told(points)] == [4]

    def test_a_file_of_ours_is_taken_as_it_is(self, tmp_path: Path) -> None:
        found = look(tmp_path, "external_id,enrolled_at\n17,2024-11-20\n", Choices())
        assert [file.path for file in incoming.ready(found, tmp_path)] == [tmp_path / "theirs.csv"]
        assert not list(found.notes)

    def test_columns_of_the_shops_own(self, shop: Shop, come: Come, tmp_path: Path) -> None:
        (tmp_path / "map.toml").write_text('email = "Where"\nname = ["Who", "Else"]\n')
        choices = AS_OF._replace(columns=tmp_path / "map.toml")
        [result] = come("Who|Else|Where\nAda|Example|ada@example.org\n", choices)
        assert (result.new, told(result)) == (1, [])
        assert shop.post("/v1/members/lookup", {"email": "ada@example.org"}).status == 200

    @pytest.mark.parametrize(
        ("text", "said"),
        [
            ('mail = "Where"', "no column of"),
            ('email = "There"', "header does not have"),
            ("email", "not TOML"),
        ],
    )
    def test_a_map_that_names_what_is_not_there(self, tmp_path: Path, text: str, said: str) -> None:
        (tmp_path / "map.toml").write_text(text)
        with pytest.raises(UsageError, match=said):
            look(tmp_path, "Where\nada@example.org\n", AS_OF._replace(columns=tmp_path / "map.toml"))


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "is empty"),
        ("First,Second\na,b\n", "names nobody"),
        ("customer,order,date_time,amount,currency\n", "`loyalty replay` books them"),
        ("email,Email,enrolled_at\n", "names email twice"),
        ("external_id,tier_id\n", "lacks since"),
        ("external_id,enrolled_at\n17,03/04/2024\n", "--dates dmy"),
    ],
)
def test_what_cannot_come_in_is_refused_before_any_work(tmp_path: Path, text: str, said: str) -> None:
    with pytest.raises(UsageError, match=said):
        look(tmp_path, text)


def test_a_workbook_that_is_none(tmp_path: Path) -> None:
    (tmp_path / "x.xlsx").write_text("no")
    with pytest.raises(LocalError, match=r"no workbook that can be read"):
        sheets.read(tmp_path / "x.xlsx")
