package apple

import (
	"fmt"
	"strings"
)

// languages are those of a pass. A phone that speaks none of them shows the words as they stand in pass.json, which is English.
var languages = [...]string{"en", "de", "es", "fr", "nb", "nl", "it", "pt", "sv"}

// vocabulary has the words of layout.go in each language, in the order of languages.
var vocabulary = [][len(languages)]string{
	{"Event", "Veranstaltung", "Evento", "Événement", "Arrangement", "Evenement", "Evento", "Evento", "Evenemang"},
	{"Date", "Datum", "Fecha", "Date", "Dato", "Datum", "Data", "Data", "Datum"},
	{"Venue", "Ort", "Lugar", "Lieu", "Sted", "Locatie", "Luogo", "Local", "Plats"},
	{"Section", "Block", "Sector", "Section", "Felt", "Vak", "Settore", "Setor", "Sektion"},
	{"Row", "Reihe", "Fila", "Rang", "Rad", "Rij", "Fila", "Fila", "Rad"},
	{"Seat", "Platz", "Asiento", "Place", "Sete", "Stoel", "Posto", "Lugar", "Plats"},
	{"Ticket", "Ticket", "Entrada", "Billet", "Billett", "Ticket", "Biglietto", "Bilhete", "Biljett"},
	{"Name", "Name", "Nombre", "Nom", "Navn", "Naam", "Nome", "Nome", "Namn"},
	{"Order", "Bestellung", "Pedido", "Commande", "Bestilling", "Bestelling", "Ordine", "Pedido", "Beställning"},
	{"Address", "Adresse", "Dirección", "Adresse", "Adresse", "Adres", "Indirizzo", "Endereço", "Adress"},                                      //nolint:misspell // Dutch
	{"Information", "Informationen", "Información", "Informations", "Informasjon", "Informatie", "Informazioni", "Informações", "Information"}, //nolint:misspell // Dutch
	{"Organizer", "Veranstalter", "Organizador", "Organisateur", "Arrangør", "Organisator", "Organizzatore", "Organizador", "Arrangör"},
	{"Owner", "Inhaber", "Titular", "Titulaire", "Eier", "Eigenaar", "Titolare", "Titular", "Ägare"},
	{"Token", "Token", "Token", "Jeton", "Token", "Token", "Token", "Token", "Token"},
	{"Online", "Online", "En línea", "En ligne", "På nett", "Online", "Online", "Online", "Online"},
	{"Status", "Status", "Estado", "Statut", "Status", "Status", "Stato", "Estado", "Status"},
	{"Status: %@", "Status: %@", "Estado: %@", "Statut : %@", "Status: %@", "Status: %@", "Stato: %@", "Estado: %@", "Status: %@"},
	{"As planned", "Wie geplant", "Según lo previsto", "Comme prévu", "Som planlagt", "Zoals gepland", "Come previsto", "Como previsto", "Som planerat"},
	{"Cancelled", "Abgesagt", "Cancelado", "Annulé", "Avlyst", "Geannuleerd", "Annullato", "Cancelado", "Inställt"},
	{"Postponed", "Verschoben", "Aplazado", "Reporté", "Utsatt", "Uitgesteld", "Rinviato", "Adiado", "Framflyttat"},
	{"New date: %@", "Neuer Termin: %@", "Nueva fecha: %@", "Nouvelle date : %@", "Ny dato: %@", "Nieuwe datum: %@", "Nuova data: %@", "Nova data: %@", "Nytt datum: %@"},
	{"New venue: %@", "Neuer Ort: %@", "Nuevo lugar: %@", "Nouveau lieu : %@", "Nytt sted: %@", "Nieuwe locatie: %@", "Nuovo luogo: %@", "Novo local: %@", "Ny plats: %@"},
	{"New seat: %@", "Neuer Platz: %@", "Nuevo asiento: %@", "Nouvelle place : %@", "Nytt sete: %@", "Nieuwe stoel: %@", "Nuovo posto: %@", "Novo lugar: %@", "Ny plats: %@"},
	{"Previously", "Bisher", "Antes", "Auparavant", "Tidligere", "Eerder", "In precedenza", "Anteriormente", "Tidigare"},
}

// words are the pass.strings of each language.
func words() (out []file) {
	for n, language := range languages {
		var b strings.Builder
		for _, word := range vocabulary {
			fmt.Fprintf(&b, "%q = %q;\n", word[0], word[n])
		}
		out = append(out, newPacked(language+".lproj/pass.strings", []byte(b.String())))
	}
	return out
}
