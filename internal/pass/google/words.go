package google

import "slices"

// localized is a text in several languages; Google shows the one of the phone's, else the default.
type localized struct {
	Default    translated   `json:"defaultValue"`
	Translated []translated `json:"translatedValues,omitempty"`
}

type translated struct {
	Language string `json:"language"` // BCP 47
	Value    string `json:"value"`
}

// text is somebody else's text, which is as it is in every language; nil for none.
func text(s string) *localized {
	if s == "" {
		return nil
	}
	return &localized{Default: translated{"en", s}}
}

// word is a text of ours in the languages that we have: English, and those of languages in their order.
type word [1 + 8]string

var languages = [...]string{"de", "es", "fr", "nb", "nl", "it", "pt", "sv"}

// text is the word in all its languages, with something behind it.
func (w word) text(behind string) *localized {
	l := &localized{Default: translated{"en", w[0] + behind}}
	for i, language := range languages {
		l.Translated = append(l.Translated, translated{language, w[1+i] + behind})
	}
	return l
}

// The words.
var (
	cancelled     = word{"Cancelled", "Abgesagt", "Cancelado", "Annulé", "Avlyst", "Geannuleerd", "Annullato", "Cancelado", "Inställt"}
	postponed     = word{"Postponed", "Verschoben", "Aplazado", "Reporté", "Utsatt", "Uitgesteld", "Rinviato", "Adiado", "Uppskjutet"}
	cancelledBody = word{
		"This event does not take place.",
		"Diese Veranstaltung findet nicht statt.",
		"Este evento no se celebrará.",
		"Cet événement n’aura pas lieu.",
		"Dette arrangementet finner ikke sted.",
		"Dit evenement gaat niet door.",
		"Questo evento non avrà luogo.",
		"Este evento não se realizará.",
		"Det här evenemanget blir inte av.",
	}
	postponedBody = word{
		"This event takes place later. The new date is not known yet; the ticket stays valid.",
		"Diese Veranstaltung wird nachgeholt. Der neue Termin steht noch nicht fest; das Ticket bleibt gültig.",
		"Este evento se celebrará más adelante. Aún no se conoce la nueva fecha; la entrada sigue siendo válida.",
		"Cet événement aura lieu plus tard. La nouvelle date n’est pas encore connue ; le billet reste valable.",
		"Dette arrangementet holdes senere. Den nye datoen er ikke kjent ennå; billetten er fortsatt gyldig.",
		"Dit evenement vindt later plaats. De nieuwe datum is nog niet bekend; het ticket blijft geldig.",
		"Questo evento si terrà più avanti. La nuova data non è ancora nota; il biglietto resta valido.",
		"Este evento será realizado mais tarde. A nova data ainda não é conhecida; o bilhete continua válido.",
		"Det här evenemanget äger rum senare. Det nya datumet är inte känt än; biljetten gäller fortfarande.",
	}
)

// before is the word and a text behind it, as in "Cancelled: Harbor Jazz".
func (w word) before(s string) *localized {
	l := w.text(": " + s)
	if i := slices.Index(languages[:], "fr"); i >= 0 {
		l.Translated[i].Value = w[1+i] + " : " + s // with a space before the colon, as French has it
	}
	return l
}
